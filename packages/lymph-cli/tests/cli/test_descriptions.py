"""Answers to `lymph.inspect` from this version of lymph, older ones and other programs."""

from __future__ import annotations

from typing import Any

import pytest

from lymph.cli._display.descriptions import read_description
from lymph.cli.outcomes import OperationFailed
from lymph.core.versioning import Version

ANSWER = {
    'identity': '5f1c',
    'interfaces': [{'name': 'shop', 'version': '1.5', 'help': 'Sells.', 'class': 'Shop'}],
    'methods': [
        {'name': 'shop.price', 'version': '10.0'},
        {'name': 'shop.price', 'version': '2.0'},
        {'name': 'mail.send', 'version': None},
        {'name': 'lymph.ping'},
    ],
    'events': [{'name': 'shop.on_order', 'version': '2.0', 'types': ['order']}],
    'tasks': [{'name': 'shop.pack', 'version': '2.0', 'more': {'later': 1}}],
}


def names(facts: list[dict[str, Any]] | None) -> list[str]:
    return [f'{each["name"]}@{each["version"]}' for each in facts or ()]


def test_parts_of_a_service_are_sorted_by_name_and_version() -> None:
    shop = read_description(ANSWER).of_service('shop', None)
    assert names(shop.methods) == ['shop.price@2.0', 'shop.price@10.0']
    assert names(shop.events) == ['shop.on_order@2.0']
    newest = read_description(ANSWER).of_service('shop', Version(10))
    assert names(newest.methods) == ['shop.price@10.0']
    assert newest.tasks == []


def test_tasks_belong_to_the_workers_of_a_service() -> None:
    worker = read_description(ANSWER).of_service('shop.worker', None)
    assert names(worker.tasks) == ['shop.pack@2.0']
    assert (worker.methods, worker.events) == ([], None)


def test_unknown_facts_are_kept() -> None:
    tasks = read_description(ANSWER).tasks
    assert tasks is not None
    assert tasks[0]['more'] == {'later': 1}


def test_facts_that_an_older_version_does_not_send_are_unknown() -> None:
    old = {'name': 'shop.price', 'version': None, 'params': ['text: str'], 'help': 'Tell it.'}
    shown = read_description({'methods': [old]}).of_service('shop', None)
    assert shown.methods == [old]
    assert (shown.interfaces, shown.events, shown.tasks) == (None, None, None)


@pytest.mark.parametrize(
    ('changed', 'complaint'),
    [
        ({'events': {}}, 'expected events as a list, found {}'),
        ({'events': [{'types': []}]}, 'expected events with a name'),
        ({'tasks': ['pack']}, 'expected tasks with a name'),
        ({'interfaces': [{'name': 'shop', 'class': 5}]}, 'expected class of interfaces as text'),
        ({'methods': [{'name': 'x.y', 'raises': 'KeyError'}]}, 'raises of methods as a list of'),
        ({'methods': [{'name': 'x.y', 'idempotent': 1}]}, 'idempotent of methods as true or'),
        ({'events': [{'name': 'x.y', 'retry': True}]}, 'retry of events as a number'),
        ({'events': [{'name': 'x.y', 'retry': 'x' * 10**6}]}, 'retry of events as a number'),
    ],
)
def test_malformed_answer_is_one_line(changed: dict[str, Any], complaint: str) -> None:
    with pytest.raises(OperationFailed) as caught:
        read_description({**ANSWER, **changed})
    assert complaint in str(caught.value)
    assert len(str(caught.value)) < 200
