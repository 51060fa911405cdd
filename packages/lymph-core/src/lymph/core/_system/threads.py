"""Native threads: an object of lymph may be used only in the thread that made it.

gevent has a loop of its own for each native thread. If another thread used an object of lymph, it
would wake the wrong loop or none: a call would be sent and its answer lost. So each public method
compares one number, and raises `lymph.exceptions.WrongThread` before it has any effect::

    if get_ident() != self._thread:
        raise WrongThread('an event was emitted')
"""

from __future__ import annotations

from collections.abc import Callable

from gevent.monkey import get_original

__all__ = ['get_ident']

#: returns the id of the native thread, even under monkey patching, where `threading.get_ident`
#: returns that of the greenlet
get_ident: Callable[[], int] = get_original('_thread', 'get_ident')
