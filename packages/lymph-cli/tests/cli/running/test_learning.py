"""Descriptions of metrics of other processes."""

from __future__ import annotations

from typing import Any

import pytest

from lymph.cli._running.learning import learn_descriptions
from lymph.core.monitoring.descriptions import describe, description

FACTS = {'kind': 'gauge', 'help': 'Some.', 'unit': '', 'tags': [], 'exported': ''}


def test_descriptions_are_taken_over() -> None:
    assert learn_descriptions([{**FACTS, 'name': 'tests.learned', 'unit': 'seconds'}]) == {}
    learned = description('tests.learned')
    assert learned is not None
    assert (learned.kind, learned.help, learned.unit) == ('gauge', 'Some.', 'seconds')


def test_what_is_described_here_stays_as_it_is() -> None:
    describe('tests.own', 'counter', 'Ours.')
    learn_descriptions([{**FACTS, 'name': 'tests.own'}])
    own = description('tests.own')
    assert own is not None
    assert own.help == 'Ours.'


def test_metrics_of_others_have_a_kind_only() -> None:
    assert learn_descriptions([{'name': 'tests.others', 'kind': 'counter'}]) == {
        'tests.others': 'counter'
    }
    assert description('tests.others') is None


@pytest.mark.parametrize(
    'answer',
    [
        None,
        'text',
        {'name': 'tests.wrong'},
        [None],
        [{'name': 'tests.wrong', 'kind': 'nonsense'}],
        [{'name': 'tests.wrong', 'kind': ['counter']}],
        [{'name': 5, 'kind': 'counter'}],
        [{**FACTS, 'name': 'tests.wrong', 'help': None}],
        [{**FACTS, 'name': 'tests.wrong', 'unit': 5}],
        [{**FACTS, 'name': 'tests.wrong', 'tags': None}],
        [{**FACTS, 'name': 'tests.wrong', 'tags': [5]}],
        [{**FACTS, 'name': 'tests.wrong' * 100}],
        [{'name': 'tests.wrong', 'kind': 'gauge', 'help': 'Some.'}],
    ],
)
def test_answers_of_another_form_are_left_out(answer: Any) -> None:
    assert learn_descriptions(answer) == {}
    assert description('tests.wrong') is None
