"""Validation and comparison of hosts with optional ports."""

from __future__ import annotations

import pytest

from lymph.web._http.authorities import is_authority, same_authority


@pytest.mark.parametrize(
    'text',
    [
        'a', 'example.com', 'example.com.', 'EXAMPLE.com:80', 'web_1', 'xn--bcher-kva.example',
        '10.0.0.1', '10.0.0.1:8080', '[::1]', '[::1]:65535', '[2001:db8::1]:1', '[::ffff:1.2.3.4]',
    ],
)  # fmt: skip
def test_name_or_address_with_or_without_a_port_is_a_valid_host(text):
    assert is_authority(text)


@pytest.mark.parametrize(
    'text',
    [
        '', ' ', 'a b', 'a,b', 'a, b', 'a;b', 'a/b', 'a/', '/', 'a\\b', 'a?b', 'a#b', 'a@b', '@a',
        'user:pass@a', 'a:', ':', ':80', 'a:b', 'a:80a', 'a: 80', 'a:-1', 'a:+1', 'a:0x1', 'a:0',
        'a:65536', 'a:99999999999999999999', 'a:80:80', 'a:\xb2', '::1', '::1:80', '[::1', '::1]',
        '[::1]80', '[::1]:', '[:::]', '[::g]', '[]', '[1.2.3.4]', '[fe80::1%25eth0]', '[v1.x]',
        '[[::1]]', '.', '..', '.a', 'a..b', '<a>', "a'b", 'a"b', 'a%41', 'a\x00', 'a\tb', '\xe4',
        'a' * 300, 'a' * 250 + ':' + '0' * 250 + '80',
    ],
)  # fmt: skip
def test_malformed_hosts_are_rejected(text):
    assert not is_authority(text)


@pytest.mark.parametrize(
    ('one', 'other', 'scheme', 'same'),
    [
        ('a', 'A', 'http', True),
        ('a:80', 'a', 'http', True),
        ('a', 'a:443', 'https', True),
        ('a:443', 'a', 'http', False),
        ('a:8080', 'a', 'http', False),
        ('a', 'b', 'http', False),
        ('[::1]', '[::1]:80', 'http', True),
    ],
)
def test_hosts_are_compared_without_case_and_default_port(one, other, scheme, same):
    assert same_authority(one, other, scheme) is same
