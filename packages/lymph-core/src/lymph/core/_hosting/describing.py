"""What an instance answers about its interfaces to `lymph.inspect`.

All values are text, numbers, booleans, None, or lists and dicts of them. Later versions may add
keys, so readers must ignore keys that they do not know and cope without those they expect.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lymph.core._declaring.declarations import declared
from lymph.core._hosting.methods import HostedMethod
from lymph.core.interfaces import Interface
from lymph.events.queue_names import queue_name
from lymph.patterns._serial_events.declaring import SerialDeclaration

__all__ = ['describe_events', 'describe_interface', 'describe_method', 'describe_tasks']


#: returns the facts about the schemas of a declaration of an interface
SchemasOf = Callable[[Interface, str], Mapping[str, Any]]


def describe_interface(interface: Interface) -> dict[str, Any]:
    """Return name, version, class name and the class's own docstring (not an inherited one)."""
    cls = type(interface)
    doc = vars(cls).get('__doc__')
    return {
        'name': interface.name,
        'version': interface.version,
        'class': cls.__qualname__,
        'help': inspect.cleandoc(doc) if isinstance(doc, str) else '',
    }


def describe_method(method: HostedMethod, schemas: SchemasOf) -> dict[str, Any]:
    """Return what a caller has to know of a method.

    `raises` are class names, which are also the names of the RemoteErrors that callers get.
    """
    declaration = method.declaration
    return {
        'name': method.subject,
        'version': method.interface.version,
        'params': declaration.signature.described(),
        'help': declaration.help,
        'raises': [cls.__name__ for cls in declaration.raises],
        'idempotent': declaration.idempotent,
        'raw': declaration.raw,
        **declaration.signature.facts(),
        **schemas(method.interface, method.subject.rpartition('.')[2]),
    }


def describe_events(interface: Interface, schemas: SchemasOf) -> Iterator[dict[str, Any]]:
    """Yield facts about each event handler, serial ones included.

    `partitions` is the number of partitions of a serial handler, None for any other.
    """
    for name, handler in interface.event_handlers.items():
        yield {
            **_facts(interface, name, handler.func),
            'types': list(handler.event_types),
            'queue': queue_name(interface.name, handler.queue(name)),
            'sequential': handler.sequential,
            'broadcast': handler.broadcast,
            'once': handler.once,
            'retry': handler.retry,
            'partitions': None,
            **schemas(interface, name),
        }
    for name, serial in declared(type(interface), SerialDeclaration).items():
        yield {
            **_facts(interface, name, serial.func),
            'types': list(serial.event_types),
            'queue': queue_name(interface.name, name),
            'sequential': False,
            'broadcast': False,
            'once': False,
            'retry': serial.retry,
            'partitions': serial.partition_count,
            **schemas(interface, name),
        }


def describe_tasks(interface: Interface, schemas: SchemasOf) -> Iterator[dict[str, Any]]:
    """Yield facts about each task."""
    for name, task in interface.tasks.items():
        yield {
            **_facts(interface, name, task.func),
            'params': task.signature.described(),
            'queue': queue_name(interface.name, name),
            'sequential': task.sequential,
            'broadcast': task.broadcast,
            'retry': task.retry,
            **task.signature.facts(),
            **schemas(interface, name),
        }


def _facts(interface: Interface, name: str, func: object) -> dict[str, Any]:
    return {
        'name': f'{interface.name}.{name}',
        'version': interface.version,
        'help': inspect.getdoc(func) or '',
    }
