"""What a call or an event is addressed to and what it carries, as written on a command line."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import click

from lymph.config.printable import quoted
from lymph.core.versioning import Version, parse_name, parse_version
from lymph.exceptions import SerializationError
from lymph.serializers.json import loads

__all__ = ['Subject', 'parse_body', 'parse_service', 'parse_subject']


_HOST_AND_PORT = re.compile(r'[\w.-]{1,255}:[0-9]{1,5}')


@dataclass(frozen=True, slots=True)
class Subject:
    """A method of an interface, and the version that is wanted (manual, 4.8.1)."""

    interface: str
    method: str
    version: str | None = None

    def __str__(self) -> str:
        return f'{self.interface}.{self.method}'


def parse_subject(text: str) -> Subject:
    """Return what `echo.upper` or `echo.upper@1.2` names; raises UsageError for anything else."""
    name, at, version = text.partition('@')
    interface, _, method = name.rpartition('.')
    if not (interface and method and text.isprintable()) or (at and not version):
        raise click.UsageError(
            f'expected INTERFACE.METHOD or INTERFACE.METHOD@VERSION, found {quoted(text)}'
        )
    if version:
        try:
            parse_version(version)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
    return Subject(interface, method, version or None)


def parse_service(text: str) -> tuple[str, Version | None]:
    """Return the name and the version in `echo` or `echo@1.2`; raises UsageError for anything else.

    An endpoint is returned as it is.
    """
    if '://' in text:
        return text, None
    if _HOST_AND_PORT.fullmatch(text):
        raise click.UsageError(f'{quoted(text)}: an endpoint is written tcp://{text}')
    try:
        return parse_name(text)
    except ValueError as error:
        raise click.UsageError(f'{quoted(text)}: {error}') from error


def parse_body(words: Sequence[str], read: Callable[[], str] | None = None) -> dict[str, Any]:
    """Return the mapping that words of a command line describe.

    One word may be a JSON object, or `-` for one that `read` returns, by default from stdin; values
    that JSON lacks are written as `lymph.serializers.json` marks them. Otherwise each word is
    `name=text` or `name:=json`.

    Raises UsageError for anything else.
    """
    if len(words) == 1 and words[0] == '-':
        return _object((read or sys.stdin.read)(), 'stdin: ')
    if len(words) == 1 and words[0].lstrip()[:1] in ('{', '['):
        return _object(words[0])
    return dict(_pair(word) for word in words)


def _object(text: str, where: str = '') -> dict[str, Any]:
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
    if name.endswith(':'):
        return name[:-1], _json(text, f'{name[:-1]}: ')
    return name, text


def _json(text: str, where: str) -> Any:
    try:
        return loads(text)
    except SerializationError as error:
        raise click.UsageError(f'{where}{error}') from error
