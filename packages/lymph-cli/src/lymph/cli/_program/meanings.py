"""What somebody probably meant who named a method or a parameter that does not exist."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from lymph.cli._arguments.subjects import Subject
from lymph.config.suggestions import close_name

__all__ = [
    'Described',
    'DescribedMethod',
    'meant_method',
    'meant_parameters',
    'read_methods',
    'read_parameters',
]

#: the names of the parameters of each method, by subject
Described = Mapping[str, frozenset[str]]

_METHODS = 1000  # that are read of one description
_NAME = re.compile(r'[^\W\d]\w*')


class DescribedMethod(NamedTuple):
    """A method as a service describes it: its subject, documentation and names of parameters."""

    name: str
    help: str
    params: tuple[str, ...]


def read_methods(reply: Any) -> Iterator[DescribedMethod]:
    """Yield the methods in a reply to ``lymph.inspect``; what is of another form is left out."""
    methods = reply.get('methods') if isinstance(reply, dict) else None
    for method in itertools.islice(methods if isinstance(methods, list) else (), _METHODS):
        name = method.get('name') if isinstance(method, dict) else None
        if not isinstance(name, str):
            continue
        text, params = method.get('help'), method.get('params')
        matches = (
            # A parameter is described as its author wrote it: `text: str = 'x'`.
            _NAME.match(param)
            for param in (params if isinstance(params, list) else ())
            if isinstance(param, str)
        )
        yield DescribedMethod(
            name,
            text if isinstance(text, str) else '',
            tuple(match[0] for match in matches if match),
        )


def read_parameters(reply: Any) -> Described:
    """Return the parameters of the methods in a reply to ``lymph.inspect``.

    Of a method that several versions of an interface have, those of all of them.
    """
    found: dict[str, frozenset[str]] = {}
    for method in read_methods(reply):
        found[method.name] = found.get(method.name, frozenset()) | {*method.params}
    return found


def meant_method(subject: Subject, methods: Described) -> str | None:
    """Return the subject of a method that exists and is like one that does not."""
    # The method exists, so something else was wrong, such as the version.
    if str(subject) in methods:
        return None
    interfaces = {name.rpartition('.')[0] for name in methods}
    interface = subject.interface
    if interface not in interfaces:
        interface = close_name(interface, interfaces) or ''
    known = [name.rpartition('.')[2] for name in methods if name.rpartition('.')[0] == interface]
    method = close_name(subject.method, known)
    return f'{interface}.{method}' if method else None


def meant_parameters(given: Iterable[str], subject: Subject, methods: Described) -> str | None:
    """Return the parameters that were probably meant, each with what was given instead of it."""
    wrong = [name for name in given if name not in methods.get(str(subject), ())]
    left = methods.get(str(subject), frozenset()) - set(given)
    close = {name: close_name(name, left) for name in wrong}
    meant = [f'{right!r} for {name!r}' for name, right in close.items() if right]
    return ', '.join(meant) or None
