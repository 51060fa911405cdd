from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.core.transport.endpoints import join_tcp, scheme_of, split_tcp


@pytest.mark.parametrize(
    ('endpoint', 'host', 'port'),
    [
        ('tcp://127.0.0.1:4123', '127.0.0.1', 4123),
        ('tcp://localhost:0', 'localhost', 0),
        ('tcp://host-1.example.org:65535', 'host-1.example.org', 65535),
        ('tcp://[::1]:4123', '::1', 4123),
        ('tcp://[fe80::1%eth0]:4123', 'fe80::1%eth0', 4123),
    ],
)
def test_tcp_endpoints_are_split_into_host_and_port(endpoint, host, port):
    assert split_tcp(endpoint) == (host, port)
    assert join_tcp(host, port) == endpoint


@pytest.mark.parametrize(
    'text',
    [
        '',
        'tcp://',
        'tcp://:1',
        'tcp://host',
        'tcp://host:',
        'tcp://host:65536',
        'tcp://host:123456',
        'tcp://host:-1',
        'tcp://host:1x',
        'tcp://host:1/',
        'tcp://host:1 ',
        'tcp://::1:1',
        'tcp://user@host:1',
        'TCP://host:1',
        'ipc://host:1',
        'host:1',
        'tcp://host:1\n',
    ],
)
def test_invalid_tcp_endpoints_are_rejected(text):
    with pytest.raises(ValueError, match='expected an endpoint like') as caught:
        split_tcp(text)
    assert repr(text) in str(caught.value)


@given(st.text(max_size=30))
def test_any_text_is_split_or_rejected(text):
    for candidate in (text, f'tcp://{text}', f'tcp://{text}:1'):
        try:
            host, port = split_tcp(candidate)
        except ValueError:
            continue
        assert host
        assert 0 <= port <= 65535


@pytest.mark.parametrize(
    ('address', 'scheme'),
    [
        ('tcp://127.0.0.1:1', 'tcp'),
        ('memory://1', 'memory'),
        ('ipc:///a/b', 'ipc'),
        ('echo', None),
        ('a.b-c', None),
        ('://x', None),
        ('', None),
    ],
)
def test_endpoints_are_recognised_by_their_scheme(address, scheme):
    assert scheme_of(address) == scheme
