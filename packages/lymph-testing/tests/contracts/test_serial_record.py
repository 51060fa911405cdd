from __future__ import annotations

import re

import pytest

from lymph.testing.contracts._serial_events.record import Gone, broken_promises, read_steps

KEPT = """
ready 7
ready 8
begin 1.0 7 a 0
begin 1.1 8 b 0
end 1.2 7 a 0
end 1.2 8 b 0
begin 1.3 8 a 1
end 1.4 8 a 1
"""


def record(tmp_path, text):
    log = tmp_path / 'log'
    log.write_text(text.strip() + '\n')
    return read_steps(log)


def test_recorded_steps_are_read(tmp_path):
    read = record(tmp_path, KEPT)
    assert read.ready == {7, 8}
    assert read.begun == {'a': {0, 1}, 'b': {0}}
    assert len(read.steps) == 6


def test_line_that_is_still_being_written_is_not_read(tmp_path):
    log = tmp_path / 'log'
    log.write_text('ready 7\nbegin 1.0 7 a 0\nbegin 1.')
    read = read_steps(log)
    assert (read.ready, read.begun) == ({7}, {'a': {0}})


def test_tail_of_a_missing_log_is_empty(tmp_path):
    assert read_steps(tmp_path / 'none').steps == []


def test_kept_promises_are_not_reported(tmp_path):
    assert broken_promises(record(tmp_path, KEPT), {'a': 2, 'b': 1}, Gone()) == []


@pytest.mark.parametrize(
    ('text', 'count', 'words'),
    [
        ('begin 1 7 a 0\nend 2 7 a 0', 2, r'of 2 events these were not handled: \[1\]'),
        ('begin 1 7 a 1\nend 2 7 a 1\nbegin 3 7 a 0\nend 4 7 a 0', 2, '0 was begun after'),
        ('begin 1 7 a 0\nbegin 2 8 a 1\nend 3 8 a 1\nend 4 7 a 0', 2, 'began while'),
        ('begin 1 7 a 0\nbegin 2 8 a 0\nend 3 8 a 0\nend 4 7 a 0', 1, 'began while'),
    ],
)
def test_broken_promises_are_reported(tmp_path, text, count, words):
    broken = broken_promises(record(tmp_path, text), {'a': count}, Gone())
    assert len(broken) == 1
    assert re.search(words, broken[0])


def test_repeated_event_breaks_no_promise(tmp_path):
    text = 'begin 1 7 a 0\nend 2 7 a 0\nbegin 3 7 a 1\nend 4 7 a 1\nbegin 5 7 a 0\nend 6 7 a 0'
    assert broken_promises(record(tmp_path, text), {'a': 2}, Gone()) == []


@pytest.mark.parametrize('gone', [Gone(killed={7: 1.5}), Gone(stopped={7: 1.5})])
def test_handler_running_when_its_process_was_killed_or_stopped_is_excused(tmp_path, gone):
    text = 'begin 1 7 a 0\nbegin 2 8 a 0\nend 3 8 a 0'
    assert broken_promises(record(tmp_path, text), {'a': 1}, gone) == []


def test_handler_begun_after_its_process_continued_is_not_excused(tmp_path):
    text = 'begin 2 7 a 0\nbegin 3 8 a 0\nend 4 8 a 0\nend 5 7 a 0'
    assert broken_promises(record(tmp_path, text), {'a': 1}, Gone(stopped={7: 1.5})) != []
