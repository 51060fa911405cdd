"""Which names a list of patterns allows, and that no spelling reaches anything else."""

from __future__ import annotations

import urllib.parse

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import Client

from lymph.web._gateway.allowed import Allowed, split_name


@pytest.mark.parametrize(
    ('patterns', 'allowed', 'refused'),
    [
        (['shop.order'], ['shop.order'], ['shop.Order', 'shop.orders', 'Shop.order', 'echo.order']),
        (['shop.*'], ['shop.order', 'shop.größe'], ['shops.order', 'shop.', 'shop.a.b', 'shop.*']),
        (['*.*'], ['shop.order', 'my-shop.order'], ['lymph.ping', 'a.b.c', 'a/b.c', '.a', '*.*']),
        (['lymph.ping'], ['lymph.ping'], ['lymph.inspect', 'lymph.Ping', 'lymph .ping']),
        (['*.*', 'lymph.ping'], ['lymph.ping', 'a.b'], ['lymph.status', 'lymph.worker.x']),
    ],
)
def test_patterns_allow_exact_names(patterns, allowed, refused):
    found = Allowed.of(patterns)
    assert [name for name in allowed if name not in found] == []
    assert [name for name in [*refused, '', '.', 'x', 5, None] if name in found] == []


@pytest.mark.parametrize(
    'pattern',
    [
        *('', '.', ' shop.order', 'shop.order ', 'shop/order', 'tcp://a.b', 'lymph.*', None),
        *[
            '*',
            '*.',
            '.*',
            '*.order',
            'shop',
            'shop.',
            'shop.**',
            'shop.o*',
            'shop.order.x',
            'sh*p.*',
            'shop.1',
        ],
    ],
)
def test_patterns_of_another_form_are_rejected(pattern):
    with pytest.raises(ValueError, match=r'expected .* found'):
        Allowed.of([pattern])


CALLED: list[str] = []


class Recorder:
    """A container that notes which methods are called."""

    def note(self, address, subject, body=None, **options):
        CALLED.append(subject)
        assert address == subject.partition('.')[0]


#: what a request may be spelled with, beside ordinary letters
PARTS = st.sampled_from(
    [
        *('shop', 'order', 'secrets', 'read', 'lymph', 'status', 'ping', 'api', 'SHOP', 'Order'),
        *(
            '/',
            '//',
            '.',
            '..',
            '%2e',
            '%2f',
            '%2F',
            '%5c',
            '%00',
            '%25',
            '%C3%A9',
            '%ff',
            'tcp://',
        ),
        *(':', '*', '~', ';', '?', '#', '@', ' ', '\\', '\u202e', '\xe9', 'e\u0301', '\u017fhop'),
        '\uff53\uff48\uff4f\uff50',
    ]
)
SPELLINGS = st.lists(PARTS | st.text(max_size=3), min_size=1, max_size=7).map(''.join)


@pytest.fixture
def recorded(world, monkeypatch):
    gateway = world.gateway('shop.order', 'shop.größe').gateway
    monkeypatch.setattr(gateway.container, 'request', Recorder().note)
    Client(gateway.application).post('/api/shop/größe', json={})
    assert CALLED == ['shop.größe']
    return gateway


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(spelling=SPELLINGS, prefix=st.sampled_from(['/api/', '/api', '/', '//api/', '/API/']))
def test_no_spelling_of_a_path_reaches_what_is_not_allowed(recorded, spelling, prefix):
    CALLED.clear()
    path = (prefix + spelling).encode('utf-8', 'replace')
    environ = {
        'REQUEST_METHOD': 'POST',
        'SCRIPT_NAME': '',
        # as a server decodes it
        'PATH_INFO': urllib.parse.unquote_to_bytes(path).decode('latin-1'),
        'QUERY_STRING': '',
        'CONTENT_TYPE': 'application/json',
    }
    Client(recorded.application).open(environ_overrides=environ)
    assert set(CALLED) <= {'shop.order', 'shop.größe'}


@settings(max_examples=200, deadline=None)
@given(name=SPELLINGS)
def test_names_that_are_split_are_two_plain_words(name):
    parts = split_name(name)
    if parts is not None:
        assert '.'.join(parts) == name
        assert not any(character in name for character in '/:*?#@% \\\x00')
        assert parts[1].isidentifier()
