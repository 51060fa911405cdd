from __future__ import annotations

import pytest

from lymph.config import Configuration, ConfigurationError
from lymph.core._operations.settings import read_operations


def read(value, default=None, block_threshold=1.0):
    settings = read_operations(Configuration({'operations': value}), block_threshold, default)
    return settings and settings[:4]


@pytest.mark.parametrize(
    ('value', 'default', 'settings'),
    [
        (None, None, None),
        (None, 0, ('127.0.0.1', 0, 30.0, 1.0)),
        (None, 4000, ('127.0.0.1', 4000, 30.0, 1.0)),
        (False, 0, None),
        ('false', 0, None),
        (True, None, ('127.0.0.1', 0, 30.0, 1.0)),
        (True, 4000, ('127.0.0.1', 4000, 30.0, 1.0)),
        ({}, None, ('127.0.0.1', 0, 30.0, 1.0)),
        ({'away': 5}, 4000, ('127.0.0.1', 4000, 5.0, 1.0)),
        ({'port': 9090}, 4000, ('127.0.0.1', 9090, 30.0, 1.0)),
        ({'ip': '::', 'port': 1, 'away': 0, 'blocked': 2.5}, None, ('::', 1, 0.0, 2.5)),
    ],
)
def test_the_port_is_open_if_the_section_or_the_default_says_so(value, default, settings):
    assert read(value, default) == settings


def test_the_threshold_of_blocks_is_that_of_the_watchdog():
    assert read(True, block_threshold=5.0)[3] == 5.0
    assert read(True, block_threshold=0)[3] == 1.0


@pytest.mark.parametrize(
    ('value', 'reason'),
    [
        (9090, 'operations: expected a mapping as in {port: 9090}, true or false, found 9090'),
        ('hm', "operations: expected a mapping as in {port: 9090}, true or false, found 'hm'"),
        ([9090], 'operations: expected a mapping as in {port: 9090}, true or false, found'),
        ({'prot': 9090}, 'operations.prot: unknown option'),
        ({'class': 'a:B'}, 'operations.class: unknown option'),
        ({'port': 65536}, 'operations.port: expected'),
        ({'port': 'http'}, 'operations.port: expected'),
        ({'port': 90.5}, 'operations.port: expected'),
        ({'ip': 'a b'}, 'operations.ip: expected an IP address or a host name'),
        ({'ip': 1}, 'operations.ip: expected an IP address or a host name'),
        ({'away': -1}, 'operations.away: expected'),
        ({'blocked': 0}, 'operations.blocked: expected'),
    ],
)
def test_other_values_are_rejected(value, reason):
    with pytest.raises(ConfigurationError) as caught:
        read(value)
    assert str(caught.value).startswith(reason)
