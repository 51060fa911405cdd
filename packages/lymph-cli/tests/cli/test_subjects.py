from __future__ import annotations

import click
import pytest

from lymph.cli._arguments.subjects import Subject, parse_address, parse_service, parse_subject
from lymph.core.versioning import Version


@pytest.mark.parametrize(
    ('text', 'subject'),
    [
        ('echo.upper', Subject('echo', 'upper')),
        ('echo.upper@1.2', Subject('echo', 'upper', '1.2')),
        ('shop.orders.place@2', Subject('shop.orders', 'place', '2')),
    ],
)
def test_subject_has_interface_method_and_version(text: str, subject: Subject) -> None:
    assert parse_subject(text) == subject


@pytest.mark.parametrize('text', ['', 'echo', 'echo.', '.upper', 'echo.upper@', '@1.2'])
def test_malformed_subject_is_a_usage_error(text: str) -> None:
    with pytest.raises(click.UsageError, match=r'INTERFACE\.METHOD'):
        parse_subject(text)


@pytest.mark.parametrize(
    ('text', 'service'),
    [
        ('echo', ('echo', None)),
        ('echo@1.2', ('echo', Version(1, 2))),
        ('shop.orders@2', ('shop.orders', Version(2))),
        ('tcp://user@127.0.0.1:1', ('tcp://user@127.0.0.1:1', None)),
    ],
)
def test_a_service_may_be_named_with_a_version(text: str, service: object) -> None:
    assert parse_service(text) == service


@pytest.mark.parametrize('text', ['echo@', '@1.2', 'echo@x', 'echo@1@2', 'echo@1.2.upper'])
def test_malformed_service_with_a_version_is_a_usage_error(text: str) -> None:
    with pytest.raises(click.UsageError, match='expected'):
        parse_service(text)


@pytest.mark.parametrize('version', ['x', '1.2.3.4', '1.', '-1'])
def test_malformed_version_is_a_usage_error(version: str) -> None:
    with pytest.raises(click.UsageError, match='expected a version'):
        parse_subject(f'echo.upper@{version}')


@pytest.mark.parametrize(
    'address',
    ['echo', 'shop.orders', 'tcp://127.0.0.1:4123', 'tcp://[::1]:4123', 'ipc:///run/echo', 'a:b'],
)
def test_address_is_an_endpoint_or_the_name_of_a_service(address: str) -> None:
    assert parse_address(address) == address


@pytest.mark.parametrize(
    ('address', 'complaint'),
    [
        ('127.0.0.1:4123', 'an endpoint is written tcp://127.0.0.1:4123'),
        ('[::1]:4123', 'an endpoint is written tcp://[::1]:4123'),
        ('tcp://127.0.0.1', 'expected an endpoint like tcp://127.0.0.1:4123'),
        ('tcp://127.0.0.1:0', 'expected a port from 1 to 65535'),
        ('tcp://127.0.0.1:99999', 'expected an endpoint like'),
        ('tcp://', 'expected an endpoint like'),
        ('tcp://me@host:1', 'expected an endpoint like'),
        ('echo@1.2', 'expected a version behind the method, as in echo.METHOD@1.2'),
        ('', 'expected a name'),
        ('a\x1b[2J', 'expected a name'),
        ('\udcff', 'expected a name'),
    ],
)
def test_impossible_address_is_a_usage_error(address: str, complaint: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        parse_address(address)
    assert complaint in str(caught.value)
    assert str(caught.value).isprintable()
