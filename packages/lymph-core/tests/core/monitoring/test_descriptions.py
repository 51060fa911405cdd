from __future__ import annotations

import pytest

from lymph.core.monitoring.descriptions import describe, description, descriptions


def test_a_described_metric_is_found_by_its_name():
    name = describe('tests.depth', 'gauge', 'How deep it is.', unit='bytes', tags=('queue',))
    found = description(name)
    assert found in descriptions()
    assert (found.kind, found.unit, found.tags) == ('gauge', 'bytes', ('queue',))


def test_an_unknown_metric_has_no_description():
    assert description('tests.unknown') is None


def test_the_same_description_may_be_given_again():
    assert describe('tests.twice', 'counter', 'Twice.') == describe(
        'tests.twice', 'counter', 'Twice.'
    )


def test_two_descriptions_of_one_metric_are_rejected():
    describe('tests.disputed', 'counter', 'One.')
    with pytest.raises(ValueError, match=r"tests.disputed is described twice: 'One.' and 'Two.'"):
        describe('tests.disputed', 'counter', 'Two.')
