from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.core.addresses import (
    Address,
    check_host,
    in_brackets,
    is_loopback,
    is_wildcard,
    join_address,
    parse_address,
)


@pytest.mark.parametrize(
    ('text', 'host', 'port'),
    [
        ('10.0.0.5', '10.0.0.5', None),
        ('10.0.0.5:4000', '10.0.0.5', 4000),
        ('svc.example', 'svc.example', None),
        ('svc.example:4000', 'svc.example', 4000),
        ('my_host-1.', 'my_host-1.', None),
        ('bücher.example:1', 'bücher.example', 1),
        ('::1', '::1', None),
        ('[::1]', '::1', None),
        ('[::1]:65535', '::1', 65535),
        ('[fe80::1%eth0]:4000', 'fe80::1%eth0', 4000),
    ],
)
def test_address_has_a_host_and_an_optional_port(text, host, port):
    assert parse_address(text) == Address(host, port)


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('', "found ''"),
        (' ', "found ' '"),
        (' 10.0.0.5', "found ' 10.0.0.5'"),
        ('a b', "found 'a b'"),
        ('10.0.0.5\n', r"found '10.0.0.5\n'"),
        ('tcp://10.0.0.5:1', 'such as 10.0.0.5'),
        ('10.0.0', "found '10.0.0'"),
        ('10.0.0.256', "found '10.0.0.256'"),
        ('010.0.0.1', "found '010.0.0.1'"),
        ('0x7f000001', "found '0x7f000001'"),
        ('-a', "found '-a'"),
        ('a..b', "found 'a..b'"),
        ('a/b', "found 'a/b'"),
        ('a' * 254, 'found'),
        ('[svc]:1', "found '[svc]'"),
        ('[10.0.0.1]:1', "found '[10.0.0.1]'"),
        ('[::1', 'such as 10.0.0.5'),
        ('fe80::1%a b', 'such as 10.0.0.5'),
        ('[::g]:1', "found '[::g]'"),
        (':4000', "found ''"),
        ('svc:', "expected a port from 1 to 65535, found ''"),
        ('svc:0', "expected a port from 1 to 65535, found '0'"),
        ('svc:65536', 'expected a port from 1 to 65535'),
        ('svc:http', 'expected a port from 1 to 65535'),
        ('svc:-1', 'expected a port from 1 to 65535'),
        ('svc:٣', 'expected a port from 1 to 65535'),
        (5, 'found 5'),
        (None, 'found None'),
        ([], 'found []'),
        (True, 'found True'),
    ],
)
def test_invalid_address_is_rejected_with_the_value_found(text, said):
    with pytest.raises(ValueError, match='expected') as caught:
        parse_address(text)
    assert said in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_rejected_or_survives_a_round_trip(text):
    try:
        address = parse_address(text)
    except ValueError:
        return
    assert parse_address(in_brackets(address.host)) == Address(address.host, None)
    assert parse_address(join_address(address.host, 4000)) == Address(address.host, 4000)
    assert address.host.isprintable()


@pytest.mark.parametrize('text', ['10.0.0.5:1', '::1:x', '[::1]:1', '', 5, None, 'a,b', '*'])
def test_host_with_a_port_is_rejected(text):
    with pytest.raises(ValueError, match='expected an IP address or a host name, found'):
        check_host(text)


@pytest.mark.parametrize(
    ('host', 'wildcard', 'loopback'),
    [
        ('0.0.0.0', True, False),
        ('::', True, False),
        ('::ffff:0.0.0.0', True, False),
        ('127.0.0.1', False, True),
        ('127.255.0.9', False, True),
        ('::1', False, True),
        ('::ffff:127.0.0.1', False, True),
        ('localhost', False, True),
        ('a.LocalHost.', False, True),
        ('10.0.0.5', False, False),
        ('2001:db8::1', False, False),
        ('svc.example', False, False),
    ],
)
def test_wildcard_and_loopback_hosts_are_recognised(host, wildcard, loopback):
    assert (is_wildcard(host), is_loopback(host)) == (wildcard, loopback)
