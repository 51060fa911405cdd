from __future__ import annotations

import gevent
from hypothesis import given
from hypothesis import strategies as st

from lymph.services.node._fleet.recent import Recent


def texts(recent: Recent, after: int = 0, names: set[str] | None = None) -> list[str]:
    return [line.text for line in recent.after(after, names, 100)]


def test_lines_are_numbered_and_read_from_a_number_on() -> None:
    recent = Recent()
    for text in 'abc':
        recent.add('echo.1', text)
    assert [line.number for line in recent.after(0, None, 100)] == [1, 2, 3]
    assert texts(recent, after=1) == ['b', 'c']
    assert [line.text for line in recent.after(0, None, 2)] == ['a', 'b']
    assert [line.text for line in recent.newest(2, None)] == ['b', 'c']


def test_lines_are_selected_by_process_or_definition() -> None:
    recent = Recent()
    for name in ('echo.1', 'echo.2', 'demo.1', 'node'):
        recent.add(name, name)
    assert texts(recent, names={'echo'}) == ['echo.1', 'echo.2']
    assert texts(recent, names={'echo.2', 'node'}) == ['echo.2', 'node']
    assert [line.text for line in recent.newest(1, {'echo'})] == ['echo.2']


def test_oldest_lines_are_dropped_and_counted() -> None:
    recent = Recent(lines=2)
    for text in 'abcd':
        recent.add('x', text)
    assert texts(recent) == ['c', 'd']
    assert [recent.forgotten(number) for number in (0, 1, 2, 4)] == [2, 1, 0, 0]


@given(st.lists(st.integers(0, 30), max_size=50))
def test_number_of_kept_characters_is_limited(lengths: list[int]) -> None:
    recent = Recent(lines=20, characters=40)
    for length in lengths:
        recent.add('x', 'x' * length)
        kept = recent.after(0, None, 100)
        assert sum(len(line.text) for line in kept) <= 40
        assert len(kept) <= 20
        assert recent.forgotten(0) == recent.last - len(kept)


def test_waiting_reader_is_woken_by_the_next_line() -> None:
    recent = Recent()
    recent.add('x', 'a')
    recent.wait(0, 30)  # there is one
    waiting = gevent.spawn(recent.wait, recent.last, 30)
    gevent.sleep(1e-6)
    recent.add('x', 'b')
    waiting.get(timeout=30)
