"""What waits for one client, within bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lymph.web._gateway.streaming.backlogs import Backlog


def backlog(most: int = 3, size: int = 100) -> tuple[Backlog, list[None]]:
    rings: list[None] = []
    return Backlog(most, size, lambda: rings.append(None)), rings


def test_events_are_taken_together_and_in_order():
    waiting, rings = backlog()
    waiting.put(b'a')
    waiting.put(b'b')
    assert len(rings) == 2
    assert waiting.take() == b'ab'
    assert waiting.take() == b''
    assert not waiting.ended


def test_large_events_are_taken_one_by_one():
    waiting, _ = backlog(size=10**6)
    frames = [b'a' * 40_000, b'b' * 40_000, b'c' * 200_000]
    for frame in frames:
        waiting.put(frame)
    assert [waiting.take() for _ in range(4)] == [*frames, b'']


def test_one_event_too_many_ends_the_stream_with_the_number_of_those_lost():
    waiting, rings = backlog(most=3)
    for _ in range(5):
        waiting.put(b'a')
    assert len(rings) == 4  # the last one changes nothing
    assert b'"lost":5' in waiting.take()
    assert waiting.ended
    waiting.put(b'a')
    assert waiting.take() == b''


def test_too_many_bytes_end_the_stream_in_the_same_way():
    waiting, _ = backlog(size=100)
    waiting.put(b'a' * 60)
    waiting.put(b'a' * 41)
    assert b'"lost":2' in waiting.take()


def test_event_beyond_the_bound_is_sent_if_no_other_waits():
    waiting, _ = backlog(size=100)
    waiting.put(b'a' * 1000)
    assert waiting.take() == b'a' * 1000
    waiting.put(b'b')
    assert waiting.take() == b'b'


def test_end_drops_what_waits_and_wakes_the_client():
    waiting, rings = backlog()
    waiting.put(b'a')
    waiting.end()
    assert len(rings) == 2
    assert (waiting.ended, waiting.take()) == (True, b'')


@given(st.lists(st.integers(0, 120) | st.none()))
def test_every_event_is_either_sent_or_counted(steps):
    waiting, _ = backlog(most=3, size=100)
    put, taken = 0, b''
    for step in steps:
        if step is None:
            taken += waiting.take()
        elif not waiting.ended:
            put += 1
            waiting.put(b'x' * step + b'.')
    while data := waiting.take():
        taken += data
    sent, _, end = taken.partition(b'event: lymph.behind')
    lost = int(end.partition(b'"lost":')[2].rstrip(b'}\n') or 0)
    assert sent.count(b'.') + lost == put
