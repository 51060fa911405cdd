"""Who may use a dashboard: hosts, origins, the token, and changes."""

from __future__ import annotations

from typing import Any

import pytest

from lymph.config import ConfigurationError
from lymph.web.dashboard import Dashboard

TOKEN = 'test-token-0123456789'
DATA = [
    '/data/live',
    '/data/services/shop',
    '/data/logs',
    '/data/dead-letters',
    '/data/dead-letters/one?id=1',
    '/data/traces',
    '/data/traces/1',
    '/api/openapi.json',
]
CHANGES = ['/api/shop/order', '/data/dead-letters/replay', '/data/dead-letters/drop']


@pytest.mark.parametrize('path', DATA)
def test_data_is_refused_without_the_token(asking: Any, path: str) -> None:
    for token in (None, 'test-token-012345678', 'é'):
        asking.token = token
        answer = asking.ask(path)
        assert answer.status == 401
        assert answer.headers['WWW-Authenticate'] == 'Bearer'


@pytest.mark.parametrize('path', CHANGES)
def test_nothing_is_changed_without_the_token(asking: Any, path: str) -> None:
    asking.token = None
    assert asking.post(path, {}).status == 401


def test_page_is_for_everybody_and_says_nothing_of_the_services(asking: Any) -> None:
    asking.token = None
    page = asking.ask('/')
    assert page.status == 200
    assert b'<main' in page.body
    assert b'test-token' not in page.body
    assert "default-src 'none'" in page.headers['Content-Security-Policy']


def test_token_in_the_url_becomes_a_cookie_that_opens_everything(asking: Any) -> None:
    token, asking.token = asking.token, None
    answer = asking.ask(f'/?token={token}')
    assert (answer.status, answer.headers['Location']) == (303, './')
    cookie, *attributes = answer.headers['Set-Cookie'].split('; ')
    assert {'HttpOnly', 'SameSite=Strict', 'Path=/'} <= set(attributes)
    assert str(asking.port) in cookie.partition('=')[0]
    assert asking.ask('/data/dead-letters', Cookie=cookie).status == 200


def test_wrong_token_in_the_url_opens_nothing(asking: Any) -> None:
    asking.token = None
    answer = asking.ask('/?token=test-token-0123456780')
    assert (answer.status, answer.headers['Set-Cookie']) == (303, None)


def test_token_can_be_entered(asking: Any) -> None:
    token, asking.token = asking.token, None
    assert asking.post('/data/session', {'token': 'wrong'}).status == 401
    assert asking.post('/data/session', {'token': 5}).status == 401
    answer = asking.post('/data/session', {'token': token})
    assert answer.status == 204
    cookie = answer.headers['Set-Cookie'].partition(';')[0]
    assert asking.ask('/data/dead-letters', Cookie=cookie).status == 200


@pytest.mark.parametrize(
    ('host', 'status'),
    [
        ('127.0.0.1:{}', 200),
        ('localhost:{}', 200),
        ('LOCALHOST:{}', 200),
        ('[::1]:{}', 200),
        ('a.localhost:{}', 200),
        ('127.0.0.1:1', 200),  # forwarded from another port
        ('evil.example:{}', 421),
        ('evil.example', 421),
        ('localhost.evil.example:{}', 421),
        ('127.0.0.1.evil.example:{}', 421),
    ],
)
def test_names_that_may_lead_elsewhere_are_refused_whatever_is_asked(
    asking: Any, host: str, status: int
) -> None:
    for path in ('/', '/data/dead-letters'):
        assert asking.ask(path, Host=host.format(asking.port)).status == status


def test_host_of_the_configuration_is_admitted(world: Any) -> None:
    asking = world.dashboard(hosts=['ops.example'])
    assert asking.ask('/data/dead-letters', Host='ops.example').status == 200
    assert asking.ask('/data/dead-letters', Host='evil.example').status == 421


@pytest.mark.parametrize(
    ('fields', 'status'),
    [
        ({'Origin': 'http://127.0.0.1:{}'}, 200),
        ({'Origin': 'http://127.0.0.1:1'}, 403),
        ({'Origin': 'https://127.0.0.1:{}'}, 403),
        ({'Origin': 'http://evil.example'}, 403),
        ({'Origin': 'null'}, 403),
        ({'Origin': ''}, 403),
        ({'Sec_Fetch_Site': 'same-origin'}, 200),
        ({'Sec_Fetch_Site': 'none'}, 200),
        ({'Sec_Fetch_Site': 'same-site'}, 403),
        ({'Sec_Fetch_Site': 'cross-site', 'Sec_Fetch_Mode': 'navigate'}, 403),
    ],
)
def test_pages_of_other_origins_get_no_data(
    asking: Any, fields: dict[str, str], status: int
) -> None:
    filled = {name: value.format(asking.port) for name, value in fields.items()}
    assert asking.ask('/data/dead-letters', **filled).status == status
    filled['Content_Type'] = 'application/json'
    changed = asking.ask('/data/dead-letters/drop', 'POST', b'{"ids": ["1"]}', **filled)
    assert changed.status == status


def test_link_of_another_site_leads_to_the_page_and_to_nothing_else(asking: Any) -> None:
    fields = {'Sec_Fetch_Site': 'cross-site', 'Sec_Fetch_Mode': 'navigate'}
    assert asking.ask('/', **fields).status == 200
    assert asking.ask('/', 'HEAD', Sec_Fetch_Site='cross-site').status == 403
    assert asking.ask('/api/openapi.json', **fields).status == 403


@pytest.mark.parametrize('kind', ['text/plain', 'application/x-www-form-urlencoded', ''])
@pytest.mark.parametrize('path', ['/data/dead-letters/drop', '/api/shop/order', '/data/session'])
def test_forms_change_nothing(asking: Any, path: str, kind: str) -> None:
    origin = f'http://127.0.0.1:{asking.port}'
    answer = asking.ask(path, 'POST', b'{"queue": "a"}', Content_Type=kind, Origin=origin)
    assert answer.status == 415


@pytest.mark.parametrize('path', CHANGES)
def test_dashboard_for_reading_only_changes_nothing(world: Any, path: str) -> None:
    asking = world.dashboard(read_only=True)
    assert asking.post(path, {}).status == 403
    assert asking.ask('/data/dead-letters').status == 200


def test_it_listens_at_loopback_whatever_the_container_does(world: Any) -> None:
    section = {'token': TOKEN}
    container = world.start((Dashboard, 'dashboard', None, section), ip='0.0.0.0')
    [dashboard] = container.interfaces
    assert dashboard.instance_facts()['ip'] == '127.0.0.1'


@pytest.mark.parametrize(
    ('section', 'words'),
    [
        ({'token': None}, 'token'),
        ({'token': 'short'}, 'expected 16 to 200 letters'),
        ({'token': 'with spaces in it, so'}, 'expected 16 to 200 letters'),
        ({'read_only': 'perhaps'}, 'read_only'),
        ({'cors': {'origins': ['*']}}, 'cors'),
        ({'tokem': 'x'}, "did you mean 'token'"),
    ],
)
def test_section_that_cannot_be_used_is_refused(
    world: Any, section: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        world.dashboard(**section)
    assert 'with spaces' not in str(caught.value)
