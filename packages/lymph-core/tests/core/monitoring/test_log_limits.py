from __future__ import annotations

import logging

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.core.monitoring.log_limits import LINES, OTHERS, LimitedLog, LineCounts, Reminder
from lymph.testing.waiting import eventually

ERROR, WARNING = logging.ERROR, logging.WARNING


def admitted(counts, cause, times):
    return [counts.admit(cause, ERROR, now) for now in times].count(True)


def test_the_first_lines_of_a_cause_are_written():
    counts = LineCounts(lines=3)
    assert admitted(counts, 'a', [0.0] * 10) == 3
    assert admitted(counts, 'b', [0.0] * 10) == 3


def test_cause_below_the_limit_loses_no_lines():
    counts = LineCounts(lines=3)
    times = [second / 3 for second in range(300)]
    assert admitted(counts, 'a', times) == 300
    assert counts.collect(1000.0) == []


def test_count_of_omitted_lines_is_collected_after_the_window():
    counts = LineCounts(lines=3)
    admitted(counts, 'a', [0.0] * 10)
    assert counts.pending
    assert counts.collect(0.9) == []
    assert counts.collect(1.0) == [('a', ERROR, 7)]
    assert not counts.pending
    assert admitted(counts, 'a', [1.0] * 10) == 3


def test_count_has_the_highest_level_of_the_omitted_lines():
    counts = LineCounts(lines=1)
    for level in (WARNING, WARNING, ERROR, WARNING):
        counts.admit('a', level, 0.0)
    assert counts.collect(1.0) == [('a', ERROR, 3)]


def test_causes_beyond_the_table_size_share_one_limit():
    counts = LineCounts(lines=1, causes=3)
    assert sum(admitted(counts, number, [0.0]) for number in range(1000)) == 4
    assert len(counts) == 4
    assert counts.collect(1.0) == [(OTHERS, ERROR, 996)]


def test_quiet_causes_are_removed_from_the_table():
    counts = LineCounts(lines=1, causes=3)
    assert sum(admitted(counts, number, [number * 2.0]) for number in range(1000)) == 1000
    assert len(counts) <= 3


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 0.5))))
def test_each_line_is_written_or_counted(steps):
    counts, now, written, left_out = LineCounts(lines=2, causes=3), 0.0, 0, 0
    for cause, step in steps:
        now += step
        left_out += sum(count for _, _, count in counts.collect(now))
        written += counts.admit(cause, ERROR, now)
        assert len(counts) <= 4
    left_out += sum(count for _, _, count in counts.collect(now + 1))
    assert written + left_out == len(steps)


@pytest.fixture
def log():
    log = LimitedLog(logging.getLogger('test.log_limits'))
    yield log
    log.close()


def lines(caplog):
    return [record.getMessage() for record in caplog.records]


def test_flood_is_limited_and_its_size_logged_when_it_stops(log, caplog):
    written = [log.write(ERROR, 'a peer', 'line %d', number) for number in range(1000)]
    assert written == [True] * LINES + [False] * (1000 - LINES)
    eventually(lambda: len(caplog.records) > LINES)
    assert lines(caplog)[-1] == f'a peer: {1000 - LINES} more lines were left out'
    assert caplog.records[-1].levelno == ERROR
    assert caplog.records[0].filename == 'test_log_limits.py'


def test_closing_writes_the_pending_counts(log, caplog):
    for number in range(LINES + 5):
        log.write(WARNING, 'a peer', 'line %d', number)
    log.close()
    log.close()
    assert lines(caplog)[LINES:] == ['a peer: 5 more lines were left out']


def test_a_cause_is_named_on_one_line(log, caplog):
    for _ in range(LINES + 1):
        log.write(WARNING, 'a\nb' * 1000, 'line')
    log.close()
    assert lines(caplog)[-1].startswith('a\\nba')
    assert len(lines(caplog)[-1]) < 200


def test_lines_of_a_level_that_is_off_are_not_counted(log, caplog):
    caplog.set_level(ERROR)
    assert all(log.write(WARNING, 'a', 'line') for _ in range(100))
    log.close()
    assert lines(caplog) == []


def test_flood_from_a_native_thread_is_limited_too(log, caplog):
    def flood():
        for _ in range(LINES + 5):
            log.write(ERROR, 'a thread', 'line')

    gevent.get_hub().threadpool.apply(flood)
    eventually(lambda: 'a thread: 5 more lines were left out' in lines(caplog))


def test_lasting_problem_is_logged_at_once_and_then_every_minute():
    reminder = Reminder()
    assert [now for now in range(1000, 1180) if reminder.due(now)] == [1000, 1060, 1120]


def test_recurring_problem_is_logged_no_more_often():
    reminder = Reminder(every=10.0)
    assert reminder.due(0.0)
    assert not reminder.due(9.0)
    assert reminder.due(25.0)
    assert not reminder.due(26.0)
