"""Native threads: what is made in one of them belongs to it.

gevent has a loop of its own for each native thread. What another thread does to an object of lymph
would wake the wrong loop, or none: a call is sent and its answer lost. So each way into lymph
compares one number and raises `lymph.exceptions.WrongThread` before anything happens::

    if get_ident() != self._thread:
        raise WrongThread('an event was emitted')
"""

from __future__ import annotations

from collections.abc import Callable

from gevent.monkey import get_original

__all__ = ['get_ident']

#: the number of the native thread; under monkey patching, `threading.get_ident` is the greenlet's
get_ident: Callable[[], int] = get_original('_thread', 'get_ident')
