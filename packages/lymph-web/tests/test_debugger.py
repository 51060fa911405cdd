"""Werkzeug's debugger, for browsers on the machine of an interface that listens at loopback."""

from __future__ import annotations

import logging
import re

import pytest
from werkzeug.exceptions import NotFound
from werkzeug.routing import Map, Rule
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from lymph.config import Configuration
from lymph.core.assembly import build_container
from lymph.exceptions import LookupFailure, RemoteError
from lymph.web import errorhandler
from lymph.web._answering.application import Application
from lymph.web._answering.debugger import Debugger
from lymph.web._answering.error_handlers import ErrorHandlers
from lymph.web._answering.health import Health
from lymph.web._options.proxies import TrustedProxies


class Site:
    name = 'site'
    request_class = Request
    debug = False
    max_body_size = 10
    health = Health(lambda: True, lambda: False)
    url_map = Map([Rule('/', endpoint='fail'), Rule('/later', endpoint='later')])

    def __init__(self) -> None:
        self.error: BaseException = ValueError('a secret')
        self.reported: list[BaseException] = []

    def report_error(self, error):
        self.reported.append(error)

    def fail(self, request):
        local_value = 6
        if local_value:
            raise self.error

    def later(self, request):
        def parts():
            yield b'first'
            raise self.error

        return Response(parts())

    @errorhandler(500, Exception)
    def page(self, request, error):
        return 'general page'

    @errorhandler(OSError)
    def expected(self, request, error):
        return 'expected'


@pytest.fixture
def site():
    return Site()


@pytest.fixture
def debugger():
    return Debugger()


@pytest.fixture
def get(site, debugger):
    """Return a function that asks as a browser on the same machine, unless told otherwise."""
    application = Application(site, error_handlers=ErrorHandlers.of(Site))
    application.debug(debugger)
    client = Client(application)

    def get(path='/', host='127.0.0.1:8080', peer='127.0.0.1', accept='text/html', **fields):
        return client.get(
            path,
            base_url=f'http://{host}',
            environ_overrides={'REMOTE_ADDR': peer},
            headers={'Accept': accept, **fields},
        )

    return get


def is_debugged(response):
    return '__debugger__' in response.text or 'SECRET =' in response.text


@pytest.mark.parametrize(
    ('host', 'peer'), [('127.0.0.1:8080', '127.0.0.1'), ('localhost', '::1'), ('[::1]:80', '::1')]
)
def test_browser_of_this_machine_gets_errors_in_a_debugger(get, site, host, peer):
    response = get(host=host, peer=peer)
    assert (response.status_code, response.mimetype) == (500, 'text/html')
    assert is_debugged(response)
    assert 'a secret' in response.text
    assert site.reported == [site.error]
    assert 'X-Trace-Id' in response.headers


def test_prompt_in_a_frame_needs_the_pin(get, debugger):
    page = get().text
    secret = re.search(r'SECRET = "(\w+)"', page)[1]
    frame = re.findall(r'id="frame-(\d+)"', page)[-1]
    ask = f'/?__debugger__=yes&cmd=local_value*7&frm={frame}&s={secret}'
    assert '42' not in get(ask).text
    assert not get(f'/?__debugger__=yes&cmd=pinauth&pin=1&s={secret}').json['auth']
    assert get(f'/?__debugger__=yes&cmd=pinauth&pin={debugger.pin}&s={secret}').json['auth']
    assert '42' in get(ask).text
    assert get('/?__debugger__=yes&cmd=resource&f=debugger.js').mimetype == 'text/javascript'
    assert get('/?__debugger__=yes&cmd=1&frm=5&s=no').status_code == 404


@pytest.mark.parametrize('trusted', [['127.0.0.1'], ['10.0.0.0/8']])
@pytest.mark.parametrize(
    'field',
    [{'X-Forwarded-For': 'unknown'}, {'X-Forwarded-Proto': 'http'}, {'Forwarded': 'for=127.0.0.1'}],
)
def test_client_behind_any_proxy_gets_no_debugger(site, debugger, trusted, field):
    application = Application(site)
    proxies = TrustedProxies.from_config(Configuration({'trusted_proxies': trusted}).view([]))
    application.features = proxies.features()
    application.debug(debugger)

    def ask(**fields):
        return Client(application).get(
            '/',
            base_url='http://127.0.0.1:8080',
            environ_overrides={'REMOTE_ADDR': '127.0.0.1'},
            headers={'Accept': 'text/html', **fields},
        )

    assert is_debugged(ask()) is (trusted != ['127.0.0.1'])  # that may be a proxy itself
    assert not is_debugged(ask(**field))


@pytest.mark.parametrize(
    'given',
    [
        {'accept': 'application/json'},
        {'peer': '10.0.0.1'},
        {'peer': ''},
        {'host': 'evil.example'},
        {'host': 'localhost.evil.example'},
        {'host': 'evil@localhost'},
        {'X-Forwarded-For': '10.0.0.1'},
        {'Forwarded': 'for=10.0.0.1'},
        {'Via': '1.1 proxy'},
        {'X-Real-IP': '10.0.0.1'},
    ],
    ids=str,
)
def test_nobody_else_gets_the_debugger(get, given):
    response = get(**given)
    assert response.status_code in (400, 500)
    assert not is_debugged(response)
    if given.get('accept') is None:
        assert get('/?__debugger__=yes&cmd=resource&f=debugger.js', **given).status_code != 200


@pytest.mark.parametrize(
    ('error', 'text'),
    [
        (OSError(), 'expected'),
        (NotFound(), 'general page'),
        (LookupFailure('away'), 'general page'),
        (SystemExit(1), 'general page'),
    ],
)
def test_expected_errors_are_answered_as_usual(get, site, error, text):
    site.error = error
    assert get().text == text


def test_error_of_a_called_service_is_debugged(get, site):
    site.error = RemoteError.named('KeyError', 'x')
    assert is_debugged(get())


def test_answer_that_fails_later_is_aborted_as_usual(get, site):
    with pytest.raises(Exception, match='a secret'):
        get('/later').data  # noqa: B018


@pytest.fixture
def start():
    """Return a function that starts an HTTP interface in a container with --debug, or without."""
    containers = []

    def start(debug, /, **section):
        container = build_container(
            Configuration(
                {
                    'container': {
                        'registry': {'class': 'static'},
                        'events': {'class': 'null'},
                        'rpc': {'transport': 'memory'},
                        'drain_timeout': 0,
                    },
                    'interfaces': {'web': {'class': 'lymph.web:WebServiceInterface', **section}},
                }
            ),
            debug=debug,
        )
        containers.append(container)
        container.start()
        (interface,) = container.interfaces
        interface.url_map.add(Rule('/', endpoint=lambda request: 1 // 0))
        return Client(interface.application).get(
            '/',
            base_url='http://localhost',
            environ_overrides={'REMOTE_ADDR': '127.0.0.1'},
            headers={'Accept': 'text/html'},
        )

    yield start
    for container in containers:
        container.stop()


@pytest.mark.parametrize(
    ('debug', 'section', 'expected', 'logged'),
    [
        (True, {'ip': '127.0.0.1'}, True, 'in a debugger; its PIN is '),
        (True, {'ip': '0.0.0.0'}, False, 'no debugger, because other machines could reach it at'),
        (False, {'debug': True}, False, ''),
    ],
    ids=['loopback', 'any address', 'without --debug'],
)
def test_debugger_needs_the_option_and_a_loopback_address(
    start, caplog, debug, section, expected, logged
):
    with caplog.at_level(logging.INFO, 'lymph.web'):
        response = start(debug, **section)
    assert is_debugged(response) == expected
    assert logged in caplog.text
    assert ('in a debugger' in caplog.text or 'no debugger' in caplog.text) == debug
    assert ('ZeroDivisionError' in response.text) == (expected or 'debug' in section)
    assert ('Server-Timing' in response.headers) == (expected or 'debug' in section)
