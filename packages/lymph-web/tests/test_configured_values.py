"""Every key in the section of an HTTP interface, with every kind of value."""

from __future__ import annotations

import pytest

from lymph.config import Configuration
from lymph.core.assembly import build_container
from lymph.testing.contracts.sections import (
    FLAGS,
    NUMBERS,
    TEXTS,
    check_refused,
    check_taken_or_refused,
)

BASE = {
    'container': {
        'registry': {'class': 'static'},
        'events': {'class': 'null'},
        'rpc': {'transport': 'memory'},
    },
    'interfaces': {'web': {'class': 'lymph.web:WebServiceInterface'}},
}

COUNTED = (*NUMBERS, '0', '0.5')
SECONDS = (*NUMBERS, '0', '0.0', '1.0e-9', '31536001')
REFUSED = {
    'ip': (*TEXTS, 'a b', '10.0.0.256'),
    'port': (*NUMBERS, '65536', '0.5'),
    'reuse_port': (*FLAGS, 'true'),  # without a port
    'listen': (*TEXTS, 'x', '/run/x.sock', '"unix:"', 'unix:x', 'unix:/a/', 'unix:@x', 'tcp:80'),
    'listen_mode': (*TEXTS, "'0660'", "'660'", '0660', '660', 'rw'),  # without `listen`
    'tls': ('5', 'x', '[1]', 'true', '{}', '{key: /k.pem}', '{cert: /c.pem}'),
    'tls.certificate': TEXTS,
    'debug': FLAGS,
    'server_name': (*TEXTS, 'a b', 'example.com:80'),
    'wsgi_pool_size': (*COUNTED, '1000001'),
    'wsgi_pool_sise': ('5',),
    'max_header_size': COUNTED,
    'max_headers': (*COUNTED, '1000001'),
    'max_body_size': COUNTED,
    'header_timeout': SECONDS,
    'idle_timeout': SECONDS,
    'stall_timeout': SECONDS,
    'body_timeout': SECONDS,
    'trusted_proxies': ('5', 'x', 'true', '{a: 1}', '[1]', '[x]', '[""]', '[[a]]', '[10.0.0.1/8]'),
    'proxy_headers': ('5', 'Forwarded', '[Forwarded]'),  # without trusted_proxies
    'hosts': (
        '5',
        'x',
        'true',
        '{a: 1}',
        '[]',
        '[""]',
        '[1]',
        '[["::1"]]',
        '["*"]',
        '["http://a"]',
    ),
    'timeout': SECONDS,
    'timeout_header': (*TEXTS, 'a b', 'a_b'),
    'cors': ('5', 'x', '[1]', 'true', '{}', '{origin: [a]}'),
    'cors.origins': (*TEXTS, '[x]', '[""]', '["https://*"]', '["https://a b"]'),
    'compression': ('5', 'x', '[1]', '{a: 1}'),
    'compression.min_size': (*NUMBERS, '0', '0.5'),
    'compression.level': (*NUMBERS, '0', '10'),
    'compression.types': ('5', 'x', '[x]', '[1]', '["a b/c"]'),
    'cookies': ('5', 'x', '[1]', 'true', '{a: 1}'),
    'cookies.secure': FLAGS,
    'cookies.samesite': (*TEXTS, 'lax', 'None'),
    'healthcheck': ('5', 'x', '[1]', 'true'),
    'healthcheck.enabled': FLAGS,
    'healthcheck.endpoint': (*TEXTS, 'up'),
    'healthcheck.enabeld': ('true',),
}


def build(config):
    build_container(config).stop()


@pytest.mark.parametrize('key', REFUSED)
def test_invalid_value_is_rejected_at_its_place(key):
    check_refused(f'interfaces.web.{key}', REFUSED[key], build, BASE)


@pytest.mark.parametrize('key', REFUSED)
def test_any_invalid_value_raises_configuration_error(key):
    check_taken_or_refused(f'interfaces.web.{key}', build, BASE)


def test_other_keys_are_left_to_the_author():
    own = {'class': 'lymph.web:WebServiceInterface', 'timeout': None, 'read_timeout': 'x'}
    build(Configuration({**BASE, 'interfaces': {'web': own}}))
