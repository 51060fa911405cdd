"""A bounded set of reusable greenlets that run handlers.

Starting Python code in a fresh greenlet costs about ten times as much as in one that has run
before, since its frame stack has to be mapped first. So a greenlet that has finished a task waits
for the next one. Rules:

- Every task runs in a context of its own: a task does not see contextvars that another one has set.
  Greenlet-local and thread-local data (`gevent.local`, `threading.local`) stay, as in any pool.
- At most `size` tasks run at once. Beyond that `try_start` returns False, and `start` waits.
- A task that is started from the hub runs at once, up to its first wait. From any other greenlet it
  is handed to the hub, since a greenlet that switches away directly would never be resumed.
- Whatever a task raises, its greenlet goes on and its place becomes free, exactly once. Only
  `Killed` ends a greenlet that runs a task.
- A greenlet that is still referenced runs no other task: a `gevent.Timeout` that a task started and
  never cancelled would be raised in the next task, and so would an exception thrown by code that
  has kept `gevent.getcurrent()`. The references are counted before a greenlet is reused.
"""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Callable
from sys import getrefcount
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event
from greenlet import getcurrent

from lymph.core._system.threads import get_ident
from lymph.core._work.shield import Shieldable, kill_in_time
from lymph.core.failures import Killed, log_failure
from lymph.core.greenlets import EndsByKilled
from lymph.exceptions import WrongThread

if TYPE_CHECKING:
    from typing_extensions import TypeVarTuple, Unpack

    Arguments = TypeVarTuple('Arguments')

__all__ = ['Workers']

logger = logging.getLogger(__name__)

_KEEP_IDLE = 256  # idle greenlets kept; each holds a few KiB of stack


_NOTHING: tuple[Callable[..., Any], tuple[Any, ...]] = (bool, ())


class _Worker(EndsByKilled, Shieldable, gevent.Greenlet):  # type: ignore[type-arg]  # of stubs
    """Runs one task after another until its owner does not keep it.

    ========  ===============================  ===============================================
    state     `task`                           next
    ========  ===============================  ===============================================
    busy      the task that it runs            idle; ended when killed, or not kept by `_keep`
    idle      `_NOTHING`; waits in the hub     busy, by `try_start`; ended by `_let_go` or kill
    ========  ===============================  ===============================================
    """

    def __init__(self, owner: Workers) -> None:
        super().__init__()
        self.owner = owner
        self.task = _NOTHING
        self.leaving = False

    def _run(self) -> None:
        owner, wait_in_hub = self.owner, gevent.get_hub().switch
        while True:
            func, args = self.task
            try:
                contextvars.Context().run(func, *args)
            except Killed:
                raise
            except BaseException as error:  # noqa: BLE001 - the edge of somebody else's code
                log_failure(logger, error, 'a task failed')
            finally:
                del func, args
                self.task = _NOTHING
                owner._finished(self)  # noqa: SLF001 - its own class
            if not owner._keep(self):  # noqa: SLF001 - the same
                return
            while True:  # idle: wait for a task, whatever stray exceptions arrive
                try:
                    wait_in_hub()
                except Killed:
                    owner._gone(self)  # noqa: SLF001 - the same
                    raise
                except BaseException:  # noqa: BLE001 - thrown at a task that has ended
                    if self.task is _NOTHING:
                        owner._gone(self)  # noqa: SLF001 - the same
                        return
                else:
                    if self.task is not _NOTHING:
                        break
                    if self.leaving:
                        return


class Workers:
    """Runs tasks in reusable greenlets, at most `size` at once (None: no bound).

    The error of a task is logged; a task that has to report it otherwise does so itself. Raises
    ValueError for a `size` below 1.
    """

    def __init__(self, size: int | None = None) -> None:
        if size is not None and size < 1:
            raise ValueError(f'expected a pool size of at least 1, found {size}')
        self.size = size
        self.running = 0
        self._limit = float('inf') if size is None else size
        self._unshared = 0  # reference count of an idle greenlet that only this object refers to
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._cut: set[_Worker] = set()  # whose tasks were cut short
        self._free = Event()
        self._free.set()
        self._quiet = Event()  # cleared while somebody waits for it
        self._quiet.set()
        self._closed = False
        self._hub = gevent.get_hub()
        self._thread = get_ident()

    def try_start(
        self, func: Callable[[Unpack[Arguments]], object], *args: Unpack[Arguments]
    ) -> bool:
        """Start a task and return True; return False if `size` tasks are running, or after `kill`.

        Raises WrongThread unless called in the native thread in which these workers were made.
        """
        in_hub = getcurrent() is self._hub
        # the hub is that of the right thread; everybody else has to be asked
        if not in_hub and get_ident() != self._thread:
            raise WrongThread('a task was started')
        if self.running >= self._limit or self._closed:
            return False
        self.running += 1
        if self.running >= self._limit:
            self._free.clear()
        while self._idle:
            worker = self._idle.pop()
            # What still refers to a greenlet could throw an exception into its next task.
            if getrefcount(worker) <= self._unshared:
                break
            self._let_go(worker)
        else:
            worker = _Worker(self)
        self._busy.add(worker)
        worker.task = (func, args)
        if in_hub:
            # This can be measured in the hub only; for others, `_begin` does it.
            if not self._unshared:
                self._count_references()
            worker.switch()
        else:
            self._hub.loop.run_callback(self._begin, worker)
        return True

    def start(self, func: Callable[[Unpack[Arguments]], object], *args: Unpack[Arguments]) -> None:
        """Start a task; wait for a free place if there is none.

        Raises Killed when the workers are killed meanwhile, WrongThread as `try_start` does.
        """
        while not self.try_start(func, *args):
            if self._closed:
                raise Killed
            self._free.wait()

    @property
    def free(self) -> float:
        """How many more tasks could start now (infinity without a bound)."""
        return self._limit - self.running

    @property
    def greenlets(self) -> int:
        """How many greenlets there are: those that run a task, and those that wait for one."""
        return len(self._busy) + len(self._idle)

    @property
    def cut(self) -> int:
        """How many tasks were cut short, each counted once, as soon as that is decided."""
        return len(self._cut)

    def wait_free(self, timeout: float | None = None) -> bool:
        """Wait up to `timeout` seconds for a free place; return whether there is one."""
        return bool(self._free.wait(timeout))

    def join(self, timeout: float | None = None) -> bool:
        """Wait up to `timeout` seconds until no task is running; return whether none is."""
        if not self.running:
            return True
        if not self._closed:
            self._quiet.clear()
        return bool(self._quiet.wait(timeout))

    def kill(self, timeout: float | None = None) -> int:
        """End all tasks and greenlets for good; return how many tasks this has cut short.

        Waits up to `timeout` seconds for them to end (None: as long as they take); those that still
        close resources then are cut. A task that calls this method is not ended itself.
        """
        self._closed = True
        if self.running:
            self._quiet.clear()
        self._free.set()  # greenlets that wait in `start` raise Killed
        victims = (self._busy | set(self._idle)) - {getcurrent()}
        cut = (self._busy & victims) - self._cut
        self._cut |= cut
        self._idle.clear()
        kill_in_time(victims, timeout)
        for worker in [worker for worker in self._busy & victims if worker.dead]:
            self._finished(worker)  # its task had not begun
        self._quiet.set()
        return len(cut)

    def _begin(self, worker: _Worker) -> None:
        """Run a task that was started outside the hub. Runs in the hub."""
        if not self._unshared:
            self._count_references()
        if not self._closed:
            worker.switch()

    def _count_references(self) -> None:
        """Measure the reference count of an idle greenlet that is not shared. Runs in the hub.

        The number depends on the versions of Python, gevent and greenlet. It is measured before the
        first task, on a greenlet that has run no task.
        """
        worker = _Worker(self)
        worker.switch()
        if worker in self._idle:
            self._idle.remove(worker)
            self._unshared = getrefcount(worker)
            self._idle.append(worker)

    def _let_go(self, worker: _Worker) -> None:
        """End an idle greenlet in the next turn of the hub."""
        worker.leaving = True
        self._hub.loop.run_callback(worker.switch)

    def _finished(self, worker: _Worker) -> None:
        """Free the place of a task, exactly once for each task."""
        if worker not in self._busy:
            return
        self._busy.discard(worker)
        if self.running >= self._limit:
            self._free.set()
        self.running -= 1
        if not self.running:
            self._quiet.set()

    def _keep(self, worker: _Worker) -> bool:
        """Put a greenlet that has finished a task among the idle ones; return False to end it."""
        if self._closed or len(self._idle) >= _KEEP_IDLE:
            return False
        self._idle.append(worker)
        return True

    def _gone(self, worker: _Worker) -> None:
        """Forget a greenlet that was ended while it was idle, or before its task had begun."""
        if worker in self._idle:
            self._idle.remove(worker)
        self._finished(worker)
