"""JSON Schemas of what an instance takes and returns, for `lymph.inspect`.

They are made when they are first asked for, in a native thread: classes may be many and large, and
their code may be slow. Who asks waits a bounded time; what is not made by then is there when it is
asked for again. A type that cannot be described has a text about it instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import gevent

from lymph.config.lazy import lazy
from lymph.config.printable import printable
from lymph.core._declaring.declarations import EventDeclaration, declared
from lymph.core._typing.hints import BadAnnotation, Hints
from lymph.core._typing.plans import CallTypes
from lymph.core.failures import error_line
from lymph.core.interfaces import Interface
from lymph.patterns._serial_events.declaring import SerialDeclaration

__all__ = ['SchemaTable', 'SchemasOf']

_PATIENCE: Final = 2.0  # seconds that one inspection waits
_MOST: Final = 200_000  # members of all schemas of one answer; a message may have a million
_TEXT: Final = 300  # characters about a type that cannot be described

Facts = dict[str, Any]
Key = tuple[type, str]
#: returns the facts about the schemas of a declaration, by class and name
SchemasOf = Callable[[type, str], Facts]

_arguments_schema: Callable[..., Facts] = lazy('lymph.core._typing.method_schemas:arguments_schema')
_value_schema: Callable[..., Facts] = lazy('lymph.core._typing.method_schemas:value_schema')
_finished: Callable[..., Facts] = lazy('lymph.core._typing.bounded_schemas:finished')
_size_of: Callable[[Any], int] = lazy('lymph.core._typing.bounded_schemas:size_of')


class SchemaTable:
    """The schemas of all declarations of the interfaces of a container."""

    def __init__(self) -> None:
        self._made: dict[Key, tuple[Facts, int]] = {}
        self._running: Any = None
        self._until = 0.0

    def of(self, classes: Iterable[type[Interface]]) -> SchemasOf:
        """Return a function that returns the facts about one declaration of these classes.

        Waits until they are made, for a bounded time.
        """
        wanted = {(cls, name): each for cls in classes for name, each in _declarations(cls)}
        missing = {key: each for key, each in wanted.items() if key not in self._made}
        if missing and (self._running is None or self._running.ready()):
            _value_schema(Any)  # imports the module here rather than in the other thread
            self._running = gevent.get_hub().threadpool.spawn(_make_all, missing, self._made)
            self._until = time.monotonic() + _PATIENCE
        if missing:
            self._running.wait(max(0.0, self._until - time.monotonic()))
        left = _MOST

        def facts_of(cls: type, name: str) -> Facts:
            nonlocal left
            facts, size = self._made.get((cls, name), (None, 0))
            if facts is None:
                return {'schema_problem': 'its schema is not made yet: ask again'}
            left -= size
            if left < 0:
                text = 'its schema is left out: those of all methods are too large'
                return {'schema_problem': text}
            return facts

        return facts_of


def _declarations(cls: type[Interface]) -> Iterator[tuple[str, Any]]:
    for found in (cls.methods, cls.event_handlers, cls.tasks, declared(cls, SerialDeclaration)):
        yield from found.items()


def _make_all(wanted: Mapping[Key, Any], made: dict[Key, tuple[Facts, int]]) -> None:
    """Make schemas in a native thread; it raises nothing."""
    for (cls, name), declaration in wanted.items():
        try:
            handles = isinstance(declaration, (EventDeclaration, SerialDeclaration))
            facts = (_of_event if handles else _of_call)(declaration, cls, name)
            size = sum(_size_of(each) for each in facts.values() if each)
        except BaseException as error:  # noqa: BLE001 - code of the classes runs
            facts, size = {'schema_problem': error_line(error, _TEXT)}, 0
        made[cls, name] = facts, size


def _of_event(declaration: Any, cls: type, name: str) -> Facts:
    plan = declaration.types.plan(cls, name)
    schema = _finished({'type': 'object'}, {}) if plan is None else _value_schema(plan.hint)
    return {'payload_schema': schema}


def _of_call(declaration: Any, cls: type, name: str) -> Facts:
    signature, types = declaration.signature, declaration.types
    hints, result = _hints(types, cls, name), Any
    parameters = {each.name: Any for each in signature.parameters}
    others = Any if signature.takes_any else None
    if hints is not None:
        result = hints.result
        if types.plan(cls, name) is not None:
            parameters, others = dict(hints.parameters), hints.others
    defaults = {
        each.name: each.default for each in signature.parameters if each.default is not each.empty
    }
    facts = {'parameters_schema': _arguments_schema(parameters, defaults, others, signature.filled)}
    try:
        return {**facts, 'result_schema': _value_schema(result, result=True)}
    except BadAnnotation as error:
        return {**facts, 'result_schema': {}, 'schema_problem': printable(str(error), _TEXT)}


def _hints(types: CallTypes, cls: type, name: str) -> Hints | None:
    try:
        return types.hints(cls, name)
    except BadAnnotation:  # of a parameter of a method that is declared with check=False
        return None
