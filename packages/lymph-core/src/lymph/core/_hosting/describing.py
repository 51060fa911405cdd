"""What an instance answers about its interfaces to `lymph.inspect`.

All values are text, numbers, booleans, None, or lists and dicts of them. Later versions may add
keys, so readers must ignore keys that they do not know and cope without those they expect.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import gevent

from lymph.core._declaring.declarations import EventDeclaration, RpcDeclaration, declared
from lymph.core._declaring.tasks import Task
from lymph.core._hosting.methods import HostedMethod
from lymph.core._hosting.schemas import SchemasOf, SchemaTable
from lymph.core.interfaces import Interface
from lymph.events.queue_names import queue_name
from lymph.patterns._serial_events.declaring import SerialDeclaration

__all__ = ['Descriptions']

_TURN: Final = 0.005  # seconds of work before the loop has its turn

Facts = dict[str, Any]

#: the facts of what has no schema, which everything fits
_OPEN_CALL: Final[Facts] = {'parameters_schema': {}, 'result_schema': {}, 'schema_problem': None}
_OPEN_EVENT: Final[Facts] = {'payload_schema': {}, 'schema_problem': None}


class Descriptions:
    """Describes interfaces; what does not differ between instances of a class is made once."""

    def __init__(self) -> None:
        self._schemas = SchemaTable()
        self._known: dict[tuple[type, str], Facts] = {}

    def of(
        self, interfaces: Iterable[Interface], methods: Iterable[HostedMethod]
    ) -> dict[str, list[Facts]]:
        """Return all facts about interfaces and methods; lets the loop go on meanwhile."""
        interfaces, methods = list(interfaces), list(methods)
        owners = [*interfaces, *(each.interface for each in methods)]
        schemas = self._schemas.of(dict.fromkeys(type(each) for each in owners))

        def describe(found: Iterable[tuple[Interface, str, Any]], kind: _Kind) -> list[Facts]:
            facts = []
            began = time.monotonic()
            for interface, name, declaration in found:
                facts.append(self._described(interface, name, declaration, kind, schemas))
                if time.monotonic() - began > _TURN:
                    gevent.sleep(1e-6)
                    began = time.monotonic()
            return facts

        described = describe(_methods(methods), _method_facts)
        for method, facts in zip(methods, described, strict=True):
            facts['cancel'] = method.cancellable
        return {
            'interfaces': [_interface_facts(each) for each in interfaces],
            'methods': described,
            'events': describe(_handlers(interfaces), _event_facts),
            'tasks': describe(_tasks(interfaces), _task_facts),
        }

    def _described(
        self, interface: Interface, name: str, declaration: Any, kind: _Kind, schemas: SchemasOf
    ) -> Facts:
        cls = type(interface)
        known = self._known.get((cls, name))
        if known is None:
            known = self._known[cls, name] = kind(declaration)
        facts = {
            'name': f'{interface.name}.{name}',
            'version': interface.version,
            **known,
            **schemas(cls, name),
        }
        if kind is not _method_facts:
            facts['queue'] = queue_name(interface.name, declaration.queue(name))
        return facts


_Kind = Callable[[Any], Facts]


def _methods(methods: Iterable[HostedMethod]) -> Iterator[tuple[Interface, str, Any]]:
    for each in methods:
        yield each.interface, each.subject.rpartition('.')[2], each.declaration


def _handlers(interfaces: Iterable[Interface]) -> Iterator[tuple[Interface, str, Any]]:
    for each in interfaces:
        for found in (each.event_handlers, declared(type(each), SerialDeclaration)):
            for name, declaration in found.items():
                yield each, name, declaration


def _tasks(interfaces: Iterable[Interface]) -> Iterator[tuple[Interface, str, Any]]:
    for each in interfaces:
        for name, declaration in each.tasks.items():
            yield each, name, declaration


def _interface_facts(interface: Interface) -> Facts:
    """Return name, version, class name and the class's own docstring (not an inherited one)."""
    cls = type(interface)
    doc = vars(cls).get('__doc__')
    return {
        'name': interface.name,
        'version': interface.version,
        'class': cls.__qualname__,
        'help': inspect.cleandoc(doc) if isinstance(doc, str) else '',
    }


def _method_facts(declaration: RpcDeclaration) -> Facts:
    """Return what a caller has to know of a method.

    `raises` are class names, which are also the names of the RemoteErrors that callers get.
    """
    return {
        'params': declaration.signature.described(),
        'help': declaration.help,
        'raises': [cls.__name__ for cls in declaration.raises],
        'idempotent': declaration.idempotent,
        'raw': declaration.raw,
        **declaration.signature.facts(),
        **_OPEN_CALL,
    }


def _event_facts(declaration: EventDeclaration | SerialDeclaration) -> Facts:
    """Return facts about an event handler.

    `partitions` is the number of partitions of a serial handler, None for any other.
    """
    flags = ('sequential', 'broadcast', 'once')
    return {
        'help': inspect.getdoc(declaration.func) or '',
        'types': list(declaration.event_types),
        **{flag: getattr(declaration, flag, False) for flag in flags},
        'retry': declaration.retry,
        'partitions': declaration.partition_count
        if isinstance(declaration, SerialDeclaration)
        else None,
        **_OPEN_EVENT,
    }


def _task_facts(task: Task[Any]) -> Facts:
    return {
        'help': inspect.getdoc(task.func) or '',
        'params': task.signature.described(),
        'sequential': task.sequential,
        'broadcast': task.broadcast,
        'retry': task.retry,
        **task.signature.facts(),
        **_OPEN_CALL,
    }
