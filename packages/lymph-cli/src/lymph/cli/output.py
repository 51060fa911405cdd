"""Where everything that `lymph` prints leaves it: data on stdout, words on stderr, made printable.

What peers, dead letters, files and child processes supply may hold escape sequences that drive the
operator's terminal, line breaks that forge lines, or text without an end. It is shown like this:

============ ===================================== ===========================================
function     for                                   what happens to it
============ ===================================== ===========================================
`one_line`   names, errors, cells of tables, words line breaks are spaces, the length is bounded
`block`      docstrings, texts of several lines    line breaks stay, the length is bounded
`whole`      text of which nothing may be missing  line breaks stay
`child_line` lines that child processes print      tabs stay, colours do not
`json_text`  JSON documents                        escaped as JSON does it
============ ===================================== ===========================================

Every other control or format character is written as an escape (``\\x1b``, ``\\u202e``) in all of
them. Values are printed as Python writes them, which escapes such characters too.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from click.exceptions import Exit

from lymph.cli._program.streams import stdout_error
from lymph.cli.lazy import lazy
from lymph.cli.outcomes import READER_GONE, OperationFailed
from lymph.config.printable import printable

__all__ = [
    'ask',
    'block',
    'cannot_write',
    'child_line',
    'json_text',
    'one_line',
    'say',
    'say_at_once',
    'say_block',
    'stdout_explained',
    'whole',
    'write',
]

_dumps = lazy('json:dumps')

#: Characters of one line of words, of a text of several lines, and of the stacks of a process.
_LINE = 4_000
_BLOCK = 64_000
_STACKS = 256_000


def say(words: str) -> None:
    """Write words to stderr as one line."""
    _tell(f'{one_line(words)}\n')


def say_block(words: str) -> None:
    """Write words of several lines to stderr."""
    _tell(f'{block(words)}\n')


def say_at_once(words: str) -> None:
    """Write words of several lines to stderr from a signal handler, whatever it has interrupted."""
    text = block(words, _STACKS)
    encoded = f'{text}\n'.encode(sys.stderr.encoding or 'utf-8', 'backslashreplace')
    with contextlib.suppress(OSError):
        while encoded:
            encoded = encoded[os.write(2, encoded) :]


def ask(question: str) -> None:
    """Write a question to stderr; the answer is typed on the same line."""
    _tell(f'{one_line(question)} ')


def write(text: str) -> None:
    """Write text that is printable already to stdout.

    Raises click's Exit when the reader has gone, OperationFailed when the disk is full.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # a text longer than the buffer is not kept: to flush again raises nothing then
        failure = stdout_error() or error
        raise _explained(failure) from failure


@contextmanager
def stdout_explained() -> Iterator[None]:
    """Raise the errors of `write` if stdout fails in the block, also for other writers."""
    try:
        yield
    except OSError:
        failure = stdout_error()
        if failure is None:
            raise  # it has to do with something else
        raise _explained(failure) from failure


def _explained(failure: OSError) -> Exit | OperationFailed:
    if isinstance(failure, BrokenPipeError):
        return Exit(READER_GONE)
    return OperationFailed(cannot_write(failure))


def cannot_write(error: OSError) -> str:
    """Return the sentence for a stdout that fails."""
    return f'cannot write to stdout: {error.strerror or error}'


def _tell(text: str) -> None:
    # If stderr fails as well, the error cannot be shown anywhere.
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()


def one_line(text: str, limit: int = _LINE) -> str:
    """Return text as one printable line of at most `limit` characters."""
    return printable(' '.join(text[: limit + 1].splitlines()), limit)


def block(text: str, limit: int = _BLOCK) -> str:
    """Return text as printable lines of at most `limit` characters together."""
    if len(text) > limit:
        text = f'{text[:limit]}...'
    return whole(text.expandtabs())


def whole(text: str) -> str:
    """Return text as printable lines, however long they are."""
    return '\n'.join(printable(line) for line in text.split('\n'))


def child_line(text: str) -> str:
    """Return a line as it is printed for a child process."""
    if text.isprintable():
        return text
    return '\t'.join(printable(part) for part in text.split('\t'))


def json_text(text: str) -> str:
    """Return a JSON document with escapes for what cannot be printed or written to stdout."""
    # JSON has such characters only inside strings, where an escape means the same. `[1:-1]` takes
    # the quotes off.
    if not text.replace('\n', '').isprintable():
        text = ''.join(c if c.isprintable() or c == '\n' else _dumps(c)[1:-1] for c in text)
    encoding = getattr(sys.stdout, 'encoding', None) or 'utf-8'
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = ''.join(c if c.isascii() else _dumps(c)[1:-1] for c in text)
    return text
