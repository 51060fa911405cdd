"""Refusing to use objects that are stopped, or that are copies in a forked child.

Each such object has one `Availability`, in one of four states:

=========  =====================================================================  ===============
state      `refusal`                                                              left by
=========  =====================================================================  ===============
idle       this WHAT is not running; start its container first                    start, abandon
running    None                                                                   stop, close,
                                                                                  abandon
closed     this WHAT was stopped; make a new one                                  abandon
forked     this WHAT was made before a fork; make a new one in the child process  nothing
=========  =====================================================================  ===============

A method on the path of every call or event only compares one attribute, and puts the text into an
error of its own::

    if self._availability.refusal is not None:
        raise EmitFailure(f'{event.type} was not emitted: {self._availability.refusal}')
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ['Availability', 'made_before_fork', 'was_stopped']


def made_before_fork(what: str) -> str:
    """Return the refusal of an object's copy in a forked child; `what` is its kind."""
    return f'this {what} was made before a fork; make a new one in the child process'


def was_stopped(what: str) -> str:
    """Return the refusal of an object that was stopped for good; `what` is its kind."""
    return f'this {what} was stopped; make a new one'


class Availability:
    """Whether an object may be used; `what` names its kind in errors.

    With `running`, the first state is running instead of idle: the object needs no start.
    """

    __slots__ = ('_closed', '_what', 'forked', 'refusal')

    def __init__(self, what: str, *, running: bool = False) -> None:
        self._what = what
        self._closed = False
        #: whether this is a copy in a forked child
        self.forked = False
        #: why the object must not be used, with what to do about it; None while it is running
        self.refusal: str | None = None
        if not running:
            self.stop()

    @property
    def running(self) -> bool:
        """Whether the object may be used."""
        return self.refusal is None

    def start(self) -> None:
        """Enter `running`, unless the object is closed or forked."""
        if not (self._closed or self.forked):
            self.refusal = None

    def stop(self) -> None:
        """Enter `idle`, unless the object is closed or forked: it can be started again."""
        if not (self._closed or self.forked):
            self.refusal = f'this {self._what} is not running; start its container first'

    def close(self) -> None:
        """Enter `closed`, unless the object is forked: it cannot be started again."""
        self._closed = True
        if not self.forked:
            self.refusal = was_stopped(self._what)

    def abandon(self) -> None:
        """Enter `forked`, in a forked child."""
        self.forked = True
        self.refusal = made_before_fork(self._what)

    def check(self, error: Callable[[str], Exception], about: str = '') -> None:
        """Raise `error(text)` unless the object is running; `about` is put before the text."""
        if self.refusal is not None:
            raise error(f'{about}: {self.refusal}' if about else self.refusal)

    def check_fork(self, error: Callable[[str], Exception], about: str = '') -> None:
        """Raise `error(text)` as `check` does, but only in a forked child."""
        if self.forked:
            self.check(error, about)
