"""Events of types that a handler does not handle, in the queue that it shares with other versions.

A queue collects what any version of its handler subscribed to: an older instance that still runs,
or, where bindings stay, one that has ended long ago. A handler does not get an event whose type
none of its patterns matches:

- Where instances share the queue, the event is put aside as if an attempt had failed, up to
  `OTHER_VERSIONS` times with growing delays, so that an instance of the version that handles it
  takes it. After that it is a dead letter.
- In a queue that nobody else takes from meanwhile (exclusive, temporary) it is one at once.

So nothing is lost, whichever versions run. The error hook is not called, since no handler failed.
"""

from __future__ import annotations

from lymph.config.printable import quoted
from lymph.core.events import Event
from lymph.events.base import Subscription
from lymph.events.topics import matches_any
from lymph.exceptions import LymphError

__all__ = ['OTHER_VERSIONS', 'NotHandled', 'check_handled', 'check_type']

OTHER_VERSIONS = 5  # further deliveries, within about 15 s


class NotHandled(LymphError):
    """The handler of a queue does not handle the type of an event in it."""


def check_handled(subscription: Subscription, event: Event) -> None:
    """Raise NotHandled if no pattern of the subscription matches the event's type."""
    check_type(subscription.event_types, event.type)


def check_type(patterns: tuple[str, ...], type: str) -> None:
    """Raise NotHandled if none of `patterns` matches the event type `type`."""
    if type not in patterns and not matches_any(patterns, type):
        raise NotHandled(
            f'expected an event type of {", ".join(patterns)}, found {quoted(type)}: it is for '
            'another version of the handler, or the queue has a binding that no version needs'
        )
