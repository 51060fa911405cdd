"""Ids and identities given as a prefix."""

from __future__ import annotations

import click
import pytest

from lymph.cli._arguments.instances import Wanted, choose, parse_wanted
from lymph.cli._arguments.prefixes import expand
from lymph.cli.outcomes import OperationFailed
from lymph.core.services import Service, ServiceInstance
from lymph.core.versioning import Version
from lymph.exceptions import LookupFailure

KNOWN = ['5f1c00', '5f1d00', '5f1d', 'a0', '42']


@pytest.mark.parametrize(
    ('given', 'meant'),
    [('5f1c00', '5f1c00'), ('5f1c', '5f1c00'), ('a', 'a0'), ('5f1d', '5f1d'), ('4', '42')],
)
def test_unique_prefix_and_exact_name_are_expanded(given: str, meant: str) -> None:
    assert expand(given, KNOWN, 'thing', 'look') == meant


@pytest.mark.parametrize(
    ('given', 'complaint'),
    [
        ('5f', "'5f': several things fit, name one: 5f1c00, 5f1d, 5f1d00"),
        ('zz', "no thing 'zz'; look"),
        ('5f1e00', "no thing '5f1e00'; did you mean '5f1d00'? look"),
        ('5f1c000', "no thing '5f1c000'; did you mean '5f1c00'? look"),
        ('\x1b[2J', r"no thing '\x1b[2J'; look"),
    ],
)
def test_prefix_without_exactly_one_match_is_an_error_that_helps(
    given: str, complaint: str
) -> None:
    with pytest.raises(OperationFailed) as caught:
        expand(given, KNOWN, 'thing', 'look')
    assert str(caught.value) == complaint


def test_candidates_are_listed_uncut_and_in_limited_number() -> None:
    known = [f'{number:050}' for number in range(100)]
    with pytest.raises(OperationFailed, match=r'and 90 more$') as caught:
        expand('0', known, 'thing', 'look')
    assert all(name in str(caught.value) for name in known[:10])


def test_empty_prefix_is_a_usage_error() -> None:
    with pytest.raises(click.UsageError):
        expand('', ['only'], 'thing', 'look')


def test_prefix_of_a_number_is_rejected_where_it_must_be_complete() -> None:
    assert expand('42', KNOWN, 'thing', 'look', whole=True) == '42'
    assert expand('5f1c', KNOWN, 'thing', 'look', whole=True) == '5f1c00'
    assert expand('000', ['42', '0006-5f'], 'thing', 'look', whole=True) == '0006-5f'
    with pytest.raises(OperationFailed, match="no thing '4'"):
        expand('4', KNOWN, 'thing', 'look', whole=True)


@pytest.mark.parametrize(
    ('text', 'wanted'),
    [
        ('echo', ('echo', None, '')),
        ('echo@1.2', ('echo', Version(1, 2), '')),
        ('echo:5f', ('echo', None, '5f')),
        ('echo@2:5f', ('echo', Version(2), '5f')),
    ],
)
def test_instances_are_named_by_service_version_and_identity(text: str, wanted: object) -> None:
    assert parse_wanted(text) == Wanted(*wanted, text)  # type: ignore[misc]


@pytest.mark.parametrize(
    'text',
    ['', ':5f', 'echo:', 'echo@x', '@1', 'echo@:5f', '127.0.0.1:1', '[::1]:1', 'localhost:1'],
)
def test_malformed_instance_name_is_a_usage_error(text: str) -> None:
    with pytest.raises(click.UsageError):
        parse_wanted(text)


def service() -> Service:
    echo = Service('echo')
    for identity, version, port in (('5f1c', '1.2', 3), ('5f1c', '2.0', 3), ('5f1d', '1.5', 1)):
        echo.add(ServiceInstance(identity, f'tcp://127.0.0.1:{port}', version))
    return echo


@pytest.mark.parametrize(
    ('text', 'keys'),
    [
        ('echo', ['5f1d@1.5', '5f1c@1.2', '5f1c@2.0']),
        ('echo@1', ['5f1d@1.5', '5f1c@1.2']),
        ('echo:5f1c', ['5f1c@1.2', '5f1c@2.0']),
        ('echo@2:5f', ['5f1c@2.0']),
    ],
)
def test_matching_instances_are_chosen(text: str, keys: list[str]) -> None:
    assert [each.key for each in choose(service(), parse_wanted(text))] == keys


@pytest.mark.parametrize(
    ('text', 'error', 'complaint'),
    [
        ('echo:5f', OperationFailed, 'several instances fit, name one: echo:5f1c, echo:5f1d'),
        ('echo:z', OperationFailed, "no instance 'echo:z'; there are: echo:5f1c, echo:5f1d"),
        ('echo@3', LookupFailure, r'no instance of echo serves 3\.0\.0'),
    ],
)
def test_name_without_exactly_one_instance_is_an_error(
    text: str, error: type[Exception], complaint: str
) -> None:
    with pytest.raises(error, match=complaint):
        choose(service(), parse_wanted(text))
