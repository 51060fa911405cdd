"""Dead letters found by their ids, or prefixes of these, in a third-party event system."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lymph.cli._running.dead_letters import find
from lymph.cli.outcomes import OperationFailed
from lymph.events.deadletters import DeadLetter, DeadLetters, Settled


class Kept(DeadLetters):
    """Dead letters with ids like those over RabbitMQ; `gone` is listed, but cannot be found."""

    ids = ('00064e3a-5f1c', '00064e3b-a0b1', '17', '0006', '9-gone')

    def read(
        self, queue: str | None = None, limit: int = 100, after: str | None = None
    ) -> Sequence[DeadLetter]:
        start = 0 if after is None else self.ids.index(after) + 1
        return [_letter(id) for id in self.ids[start : start + limit]]

    def find(self, id: str) -> DeadLetter | None:
        return _letter(id) if id in self.ids and 'gone' not in id else None

    def replay(self, *ids: str, settled: Settled = str) -> int:
        raise NotImplementedError

    def drop(self, *ids: str, settled: Settled = str) -> int:
        raise NotImplementedError


def _letter(id: str) -> DeadLetter:
    return DeadLetter(id, 'shop.on_order', None, b'', 'ValueError', 1, None, 0.0)


def found(*ids: str, whole: bool = False) -> list[str]:
    return [letter.id for letter in find(Kept(), ids, whole=whole)]


def test_ids_and_prefixes_find_each_letter_once_and_in_order() -> None:
    assert found('17', '00064e3a-5f1c') == ['17', '00064e3a-5f1c']
    assert found('00064e3b', '0006', '00064e3b-a') == ['00064e3b-a0b1', '0006']
    assert found('1') == ['17']


def test_number_must_be_complete_for_commands_that_change_something() -> None:
    assert found('00064e3b', '17', whole=True) == ['00064e3b-a0b1', '17']
    with pytest.raises(OperationFailed, match=r"^no dead letter '1'; did you mean '17'\?"):
        found('1', whole=True)


@pytest.mark.parametrize(
    ('id', 'complaint'),
    [
        ('00064', 'several dead letters fit, name one: 00064e3a-5f1c, 00064e3b-a0b1'),
        ('zz', "no dead letter 'zz'; `lymph dlq list` shows which there are"),
        ('9', "no dead letter '9-gone'"),
    ],
)
def test_unknown_id_is_an_error_before_anything_is_done(id: str, complaint: str) -> None:
    with pytest.raises(OperationFailed) as caught:
        found('17', id)
    assert complaint in str(caught.value)
