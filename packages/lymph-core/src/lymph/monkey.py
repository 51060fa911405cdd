"""Making the standard library cooperative."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from gevent import events, monkey

from lymph.config.distributions import entry_points
from lymph.config.references import load_reference
from lymph.core._system.private_parts import as_expected, assigns, takes

__all__ = ['patch']


def patch() -> None:
    """Replace the blocking functions of the standard library by those of gevent.

    Call it before any other import. The command `lymph` calls it for commands that run services.
    Idempotent.
    """
    if not monkey.is_module_patched('socket'):
        with _quick_look_at_plugins() if _is_replaceable() else nullcontext():
            monkey.patch_all()


def _is_replaceable() -> bool:
    return as_expected('gevent', 'events.notify_and_call_entry_points', _is_asked_by_the_patching)


def _is_asked_by_the_patching() -> bool:
    ask: Any = vars(events)['notify_and_call_entry_points']
    return takes(ask, 'event') and assigns(ask, 'ENTRY_POINT_NAME')


@contextmanager
def _quick_look_at_plugins() -> Iterator[None]:
    """Let gevent look for its plugins in the way lymph looks for its own, which is faster.

    For each of a dozen modules gevent asks `importlib.metadata` twice, which reads the metadata of
    everything that is installed: this takes longer than the patching itself.
    """
    gevent: Any = events  # its types do not know the name
    ask = gevent.notify_and_call_entry_points
    gevent.notify_and_call_entry_points = _notify
    try:
        yield
    finally:
        gevent.notify_and_call_entry_points = ask


def _notify(event: Any) -> None:
    """Send an event to subscribers and plugins; they may raise `gevent.events.DoNotPatch`."""
    events.notify(event)  # type: ignore[attr-defined]  # its types do not know it
    for plugin in entry_points(event.ENTRY_POINT_NAME):
        subscriber: Any = load_reference(plugin.value.partition('[')[0].strip())
        subscriber(event)
