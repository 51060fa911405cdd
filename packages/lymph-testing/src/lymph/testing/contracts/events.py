"""The contract of event systems, as tests.

A backend's author runs them by subclassing, for pytest to collect::

    class TestMyEventSystem(EventSystemContract):
        def make_event_system(self):
            return MyEventSystem(...)

- All systems made in one test reach each other: they use the same broker, file or hub.
- The suite starts and stops them. Each test uses queues and topics with unique names, so that all
  tests may share a broker with each other and with other programs.
- Events and dead letters outlive the systems of a test, and may be deleted afterwards.
"""

from __future__ import annotations

from lymph.testing.contracts._events.carrying import CarryingContract
from lymph.testing.contracts._events.dead_letters import DeadLettersContract
from lymph.testing.contracts._events.delays import DelaysContract
from lymph.testing.contracts._events.exclusive import ExclusiveContract
from lymph.testing.contracts._events.failures import FailuresContract
from lymph.testing.contracts._events.figures import FiguresContract
from lymph.testing.contracts._events.harness import EventSystemHarness, Gate, Inbox
from lymph.testing.contracts._events.interception import InterceptionContract
from lymph.testing.contracts._events.interfaces import InterfacesContract
from lymph.testing.contracts._events.lifetimes import LifetimesContract
from lymph.testing.contracts._events.losses import ExclusiveLossesContract, LossesContract
from lymph.testing.contracts._events.outcomes import ExclusiveOutcomesContract, OutcomesContract
from lymph.testing.contracts._events.queues import QueuesContract
from lymph.testing.contracts._events.sharing import SharingContract
from lymph.testing.contracts._events.sizes import SizesContract
from lymph.testing.contracts._events.threads import ThreadsContract
from lymph.testing.contracts._events.topics import TopicsContract
from lymph.testing.contracts._events.versions import (
    ExclusiveVersionsContract,
    VersionsContract,
)

__all__ = ['EventSystemContract', 'EventSystemHarness', 'Gate', 'Inbox', 'QueuesContract']


class EventSystemContract(
    CarryingContract,
    TopicsContract,
    SharingContract,
    LifetimesContract,
    DelaysContract,
    FailuresContract,
    OutcomesContract,
    LossesContract,
    ExclusiveContract,
    ExclusiveOutcomesContract,
    ExclusiveLossesContract,
    DeadLettersContract,
    QueuesContract,
    InterceptionContract,
    FiguresContract,
    InterfacesContract,
    SizesContract,
    ThreadsContract,
    VersionsContract,
    ExclusiveVersionsContract,
):
    """The tests that every event system has to pass."""
