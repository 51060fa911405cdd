from __future__ import annotations

import io
import logging

import pytest

from lymph.core.failures import (
    ERROR_LENGTH,
    Killed,
    another,
    described,
    error_line,
    error_name,
    error_text,
    log_failure,
    traceback_text,
)


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
def test_error_line_is_one_printable_line(error, line):
    assert error_line(error) == line


@pytest.mark.parametrize('text', ['x' * 10**6, '\udcff' * 10**6, '\x00' * 10**6])
def test_a_long_text_is_cut(text):
    assert len(error_text(ValueError(text))) <= ERROR_LENGTH
    assert len(error_line(ValueError(text))) <= ERROR_LENGTH


class Names(type):
    @property
    def __name__(cls):
        raise SystemExit


class Nameless(Exception, metaclass=Names):
    pass


class Text(str):
    def __getitem__(self, index):
        raise SystemExit

    encode = split = __len__ = __getitem__


class OddText(Exception):
    def __str__(self):
        return Text('odd')


class Unprintable(Exception):
    """Raises in every method that printing a traceback calls."""

    def __str__(self):
        raise SystemExit(3)

    __repr__ = __str__

    @property
    def __notes__(self):
        raise GeneratorExit

    @property
    def __cause__(self):
        raise KeyboardInterrupt

    @property
    def __traceback__(self):
        raise KeyboardInterrupt

    @property
    def __class__(self):
        raise ValueError('no class')


def raised(error):
    try:
        raise error
    except BaseException as caught:  # noqa: BLE001 - whatever it is
        return caught


def in_a_circle():
    one, other = ValueError('one'), ValueError('other')
    one.__cause__, other.__cause__ = other, one
    return one


ODD = {
    'no text': Wordless,
    'quits': Quitting,
    'text is none': NoText,
    'text of a subclass': OddText,
    'surrogates': lambda: OSError(2, 'no such file', 'name-\udcff'),
    'no name': lambda: Nameless('x'),
    'unprintable': Unprintable,
    'circle': in_a_circle,
    'syntax error without a file': lambda: SyntaxError(5, (5, 'x', {}, 7)),
    'arguments': lambda: ValueError(Unprintable(), '\udcff'),
}


# pytest shows the arguments of a test that fails: names, not errors that cannot be shown
odd_errors = pytest.mark.parametrize('name', ODD)


@odd_errors
def test_odd_error_has_a_text_that_can_be_encoded(name):
    odd = raised(ODD[name]())
    for told in (error_name(odd), error_line(odd), error_text(odd), traceback_text(odd)):
        assert type(told) is str
        told.encode()
    line, frames = error_line(odd), traceback_text(odd)
    del odd
    assert line
    assert 'raise error' in frames


@odd_errors
def test_an_odd_error_is_logged_with_its_frames(name, tmp_path):
    odd = raised(ODD[name]())
    logger = logging.getLogger('test.failures')
    handler = logging.FileHandler(tmp_path / 'log', encoding='utf-8')
    handler.setFormatter(logging.Formatter('%(name)s:%(funcName)s: %(message)s'))
    logger.addHandler(handler)
    try:
        log_failure(logger, odd, '%s failed', 'the method')
    finally:
        logger.removeHandler(handler)
        handler.close()
    written = (tmp_path / 'log').read_text()
    place = 'test.failures:test_an_odd_error_is_logged_with_its_frames'
    del odd
    assert written.startswith(f'{place}: the method failed\n')
    assert 'raise error' in written


@pytest.mark.parametrize('second', [RuntimeError('full'), SystemExit(1), KeyboardInterrupt()])
def test_failing_log_raises_nothing(second, monkeypatch):
    class Failing(logging.Handler):
        def emit(self, record):
            raise second

    logger, told, failing = logging.getLogger('test.failures'), io.StringIO(), Failing()
    monkeypatch.setattr('sys.stderr', told)
    logger.addHandler(failing)
    try:
        log_failure(logger, ValueError('wrong'), '%s failed', 'the method')
    finally:
        logger.removeHandler(failing)
    assert 'the method failed: ValueError: wrong' in told.getvalue()


class Causeless(Exception):
    @property
    def __cause__(self):
        raise SystemExit

    def with_traceback(self, traceback):
        raise SystemExit


class Uncopied(Exception):
    def __copy__(self):
        raise SystemExit


@pytest.mark.parametrize('kind', [ValueError, Causeless, Uncopied])
def test_copy_of_an_error_keeps_its_cause_and_traceback(kind):
    try:
        raise kind('wrong') from KeyError('why')
    except kind as caught:
        error = caught
    copied = another(error)
    assert (copied is error) == (kind is Uncopied)
    assert (type(copied), copied.args) == (kind, ('wrong',))
    for name in ('__cause__', '__traceback__'):
        field = BaseException.__dict__[name]
        assert field.__get__(copied) is field.__get__(error) is not None


def test_an_ordinary_error_has_its_ordinary_traceback():
    text = traceback_text(raised(ValueError('wrong')))
    assert text.startswith('Traceback (most recent call last):\n')
    assert text.endswith('ValueError: wrong')


def test_killed_is_not_caught():
    class Killing(Exception):
        def __str__(self):
            raise Killed

        __repr__ = __str__

    error = Killing()
    for tell in (error_text, error_line, described):
        with pytest.raises(Killed):
            tell(error)


def test_object_without_a_repr_is_described_by_its_class():
    assert described(Unprintable()) == '<Unprintable without a repr>'
    assert described('\x1b') == "'\\x1b'"
