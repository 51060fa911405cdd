from __future__ import annotations

import pytest

from lymph.core.failures import ERROR_LENGTH, error_line, error_text


class Wordless(Exception):
    def __str__(self):
        raise RuntimeError('no words')


class Quitting(Exception):
    def __str__(self):
        raise SystemExit


class NoText(Exception):
    def __str__(self):
        return 5


@pytest.mark.parametrize(
    ('error', 'text'),
    [
        (ValueError('wrong'), 'wrong'),
        (ValueError('two\nlines'), 'two\nlines'),
        (OSError('no file \udcff'), 'no file \\udcff'),
        (Wordless(), '(its text cannot be made: RuntimeError)'),
        (Quitting(), '(its text cannot be made: SystemExit)'),
        (NoText(), '(its text cannot be made: TypeError)'),
        (ValueError(), ''),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_has_a_text_that_can_be_encoded(error, text):
    assert error_text(error) == text


@pytest.mark.parametrize(
    ('error', 'line'),
    [
        (ValueError('two\n lines'), 'ValueError: two lines'),
        (ValueError('\x1b[2J'), 'ValueError: \\x1b[2J'),
        (SystemExit(), 'SystemExit'),
        (Wordless(), 'Wordless: (its text cannot be made: RuntimeError)'),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_is_told_in_one_printable_line(error, line):
    assert error_line(error) == line


@pytest.mark.parametrize('text', ['x' * 10**6, '\udcff' * 10**6, '\x00' * 10**6])
def test_a_long_text_is_cut(text):
    assert len(error_text(ValueError(text))) <= ERROR_LENGTH
    assert len(error_line(ValueError(text))) <= ERROR_LENGTH
