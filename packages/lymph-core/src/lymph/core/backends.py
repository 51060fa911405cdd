"""Building blocks for backends and servers that other distributions bring.

What a registry, an event system or an HTTP server needs of the event loop and the operating system
beyond its contract: connections and host names without blocking the loop, clocks that nobody sets,
sockets that the process was started with, the rules for objects that were stopped or that were made
before a fork, and checks of the private parts of libraries that a backend relies on.
"""

from __future__ import annotations

from lymph.core._loop.deadlines import Expirations
from lymph.core._system.blocking import in_thread
from lymph.core._system.clocks import SteadyClock
from lymph.core._system.connecting import create_connection
from lymph.core._system.forks import abandon_in_children
from lymph.core._system.inherited import SocketMismatch, adopt, misdirected
from lymph.core._system.private_parts import as_expected, assigns, takes
from lymph.core._system.refusals import Availability, made_before_fork
from lymph.core._system.resolving import resolver
from lymph.core._system.threads import get_ident

__all__ = [
    'Availability',
    'Expirations',
    'SocketMismatch',
    'SteadyClock',
    'abandon_in_children',
    'adopt',
    'as_expected',
    'assigns',
    'create_connection',
    'get_ident',
    'in_thread',
    'made_before_fork',
    'misdirected',
    'resolver',
    'takes',
]
