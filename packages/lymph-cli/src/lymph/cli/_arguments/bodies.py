"""Parameters of a call or the body of an event, as written on a command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from lymph.cli.output import say
from lymph.config.printable import quoted
from lymph.exceptions import SerializationError
from lymph.serializers.json import loads

__all__ = ['parse_body']

_STDIN = '-'


def parse_body(
    words: Sequence[str], read: Callable[[], str | bytes] | None = None
) -> dict[str, Any]:
    """Return the mapping that words of a command line describe.

    ============== =================================================================
    ``{...}``      a JSON object; values that JSON lacks are marked, see
                   `lymph.serializers.json`
    ``-``          a JSON object that `read` returns, by default from stdin
    ``name=text``  one parameter, as text
    ``name:=json`` one parameter, as JSON
    ============== =================================================================

    There may be one object, before or after any number of pairs. A pair replaces the member of the
    object that has its name. stdin is read when everything else is right.

    Raises UsageError for anything else, and for a name that two pairs have.
    """
    # A list counts as one, so that the error says that an object is expected.
    documents = [word for word in words if word == _STDIN or word.lstrip()[:1] in ('{', '[')]
    if len(documents) > 1:
        found = ' and '.join(map(quoted, documents[:2]))
        raise click.UsageError(f'expected one JSON object or one -, found {found}')
    pairs: dict[str, Any] = {}
    for name, value in (_pair(word) for word in words if word not in documents):
        if name in pairs:
            raise click.UsageError(f'{quoted(name)} is given twice')
        pairs[name] = value
    document = _document(documents[0], read or _read_stdin) if documents else {}
    return {**document, **pairs}


def _document(word: str, read: Callable[[], str | bytes]) -> dict[str, Any]:
    if word != _STDIN:
        return _object(word)
    text = read()
    if not text.strip():
        raise click.UsageError('stdin: expected a JSON object, found nothing')
    return _object(text, 'stdin: ')


def _read_stdin() -> bytes:
    if sys.stdin.isatty():
        say('type a JSON object; Ctrl-D ends it')
    return sys.stdin.buffer.read()


def _object(text: str | bytes, where: str = '') -> dict[str, Any]:
    value = _json(text, where)
    if not isinstance(value, dict):
        raise click.UsageError(
            f'{where}expected a JSON object like {{"text": "foo"}}, found {quoted(text)}'
        )
    return value


def _pair(word: str) -> tuple[str, Any]:
    name, equals, text = word.partition('=')
    if not equals or not name.rstrip(':'):
        raise click.UsageError(
            f'expected a JSON object, name=text or name:=json, found {quoted(word)}'
        )
    if not name.endswith(':'):
        return name, _encodable(text, name)
    name = name[:-1]
    hint = f'; for text, write {name}={text}' if text.isalnum() and len(text) < 20 else ''
    return name, _json(text, f'{name}: ', hint)


def _json(text: str | bytes, where: str, hint: str = '') -> Any:
    try:
        return loads(text)
    except SerializationError as error:
        raise click.UsageError(f'{where}{error}{hint}') from error


def _encodable(text: str, name: str) -> str:
    """Return text unless it has bytes that were no characters on the command line."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise click.UsageError(
            f'{name}: expected text in the encoding of the terminal, found {quoted(text)}'
        ) from error
    return text
