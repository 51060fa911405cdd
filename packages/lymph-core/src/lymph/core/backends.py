"""Building blocks for backends and servers in other distributions.

What a registry, an event system or an HTTP server needs of the event loop and the operating system
beyond its contract: connecting and looking up host names without blocking the loop, monotonic
clocks, the deadline of the current work, work that several greenlets wait for, inherited sockets,
rules for objects that were stopped or made before a fork, checks of private parts of libraries,
checks of methods and their names, hooks, the chains of interceptors that wrap units of work, the
facts about a subscription that they see, the recent units of work of a process, and the keys in a
WSGI environment that tracing plugins use.
"""

from __future__ import annotations

from lymph.core._declaring.checking import is_reserved
from lymph.core._loop.current_call import current_work, set_current_work
from lymph.core._loop.deadlines import Expirations
from lymph.core._loop.deadlines import current as current_deadline
from lymph.core._loop.deadlines import set_current as set_deadline
from lymph.core._loop.flights import FlightEnded, Flights
from lymph.core._loop.hooks import Hook
from lymph.core._loop.turns import NextTurn
from lymph.core._monitoring.recent_work import RecentWork, WorkEntry
from lymph.core._system.blocking import in_thread
from lymph.core._system.clocks import SteadyClock
from lymph.core._system.connecting import create_connection
from lymph.core._system.forks import abandon_in_children
from lymph.core._system.inherited import SocketMismatch, adopt, adopt_file, misdirected
from lymph.core._system.lock_files import locked_folder
from lymph.core._system.private_parts import as_expected, assigns, takes
from lymph.core._system.refusals import Availability, made_before_fork
from lymph.core._system.resolving import resolver
from lymph.core._system.threads import get_ident
from lymph.core._work.chains import Chain, Chains, ChainStep, surround
from lymph.core._work.environment import TRACE_FIELDS_KEY, TRACEPARENT_KEY
from lymph.core._work.forms import deferred_form
from lymph.core._work.handling import HandlerWork
from lymph.core._work.headers import FIXED, Headers

__all__ = [
    'FIXED',
    'TRACEPARENT_KEY',
    'TRACE_FIELDS_KEY',
    'Availability',
    'Chain',
    'ChainStep',
    'Chains',
    'Expirations',
    'FlightEnded',
    'Flights',
    'HandlerWork',
    'Headers',
    'Hook',
    'NextTurn',
    'RecentWork',
    'SocketMismatch',
    'SteadyClock',
    'WorkEntry',
    'abandon_in_children',
    'adopt',
    'adopt_file',
    'as_expected',
    'assigns',
    'create_connection',
    'current_deadline',
    'current_work',
    'deferred_form',
    'get_ident',
    'in_thread',
    'is_reserved',
    'locked_folder',
    'made_before_fork',
    'misdirected',
    'resolver',
    'set_current_work',
    'set_deadline',
    'surround',
    'takes',
]
