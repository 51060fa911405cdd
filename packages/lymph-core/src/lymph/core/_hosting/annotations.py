"""The annotations of an interface, read when it is installed."""

from __future__ import annotations

from lymph.core._declaring.declarations import declared
from lymph.core._declaring.proxy_declarations import ProxyDeclaration
from lymph.core.interfaces import Interface
from lymph.patterns._serial_events.declaring import SerialDeclaration

__all__ = ['check_annotations']


def check_annotations(interface: Interface) -> None:
    """Make the plans of all declarations, and of the results of all proxies with a class.

    Raises ConfigurationError for an annotation that cannot be checked.
    """
    cls = type(interface)
    for declarations in (
        interface.methods,
        interface.event_handlers,
        interface.tasks,
        declared(cls, SerialDeclaration),
    ):
        for name, declaration in declarations.items():
            declaration.types.plan(cls, name)
    for proxy in declared(cls, ProxyDeclaration).values():
        proxy.check()
