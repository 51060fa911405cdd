"""Opens the database again after its files were removed or replaced.

=========  ============================================  ==========================================
state      `expect_settled`                              left for
=========  ============================================  ==========================================
open       returns                                       lost, by `lost`
lost       raises: what became of the files              settling, when they are open again
settling   raises: queues are declared again             open, `_SETTLING` seconds after the loss
=========  ============================================  ==========================================

- A commit notices the loss first. Where nothing is committed, the files are checked every
  `INTERVAL` seconds, and at once when their directory or the file of the write mutex is removed.
- The files that are found then are opened, or made. They may be empty or an older copy, so
  instances enroll again and declare their queues again.
- Until all had the time to notice and do that, emitters are refused: an event might find no queue
  that collects it, and nobody would ever know.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final

import gevent

from lymph.core._system.forks import abandon_in_children
from lymph.core.components import Component
from lymph.core.failures import Killed, error_text, log_failure
from lymph.core.greenlets import Greenlet
from lymph.core.monitoring.log_limits import Reminder
from lymph.events._embedded.committer import Committer
from lymph.events._embedded.database import StoreError

__all__ = ['INTERVAL', 'Recovery']

logger = logging.getLogger(__name__)

INTERVAL: Final = 1.0  # seconds
_SETTLING = 2.5  # seconds in which all instances notice, and declare their queues again
_PAUSE = 0.1  # seconds before the first attempt, doubled for each later one
_LONGEST_PAUSE = 1.0


class Recovery:
    """Checks the files of `committer` while it is open, and opens them again after a loss.

    `reopened()` is called in a greenlet after that. `check_files()` is called in the hub every
    `INTERVAL` seconds, for the files beside the database; it must not wait. An attempt to open the
    files gives up after `timeout` seconds.
    """

    def __init__(
        self,
        component: Component,
        committer: Committer,
        timeout: float,
        reopened: Callable[[], object],
        check_files: Callable[[], object],
    ) -> None:
        self._component = component
        self._committer = committer
        self._timeout = timeout
        self._reopened = reopened
        self._check_files = check_files
        self._watchers: list[Any] = []
        self._greenlet: Greenlet | None = None
        self._settled_at = 0.0  # by the monotonic clock
        abandon_in_children(self)

    def start(self) -> None:
        """Begin to check the files."""
        loop = gevent.get_hub().loop
        timer = loop.timer(INTERVAL, INTERVAL, ref=False)
        directory = self._committer.path.parent
        # a watcher of the database's directory would be called for each commit
        paths = (self._committer.mutex_path, directory.parent)
        removals = [loop.stat(str(path), INTERVAL, ref=False) for path in paths]
        self._watchers = [timer, *removals]
        timer.start(self._check)
        for removal in removals:
            removal.start(self._committer.check_files)

    def stop(self) -> None:
        """Stop checking, and opening again."""
        self.abandon()
        greenlet, self._greenlet = self._greenlet, None
        if greenlet is not None:
            greenlet.kill()

    def abandon(self) -> None:
        """Stop checking, in a forked child. Idempotent."""
        watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            watcher.stop()
            watcher.close()

    def lost(self) -> None:
        """Open the files again, which were just lost; return at once."""
        logger.error('%s; what was in it may be lost', self._committer.trouble)
        self._settled_at = time.monotonic() + _SETTLING
        if not self._greenlet:
            self._greenlet = self._component.spawn(self._recover)

    def expect_settled(self) -> None:
        """Raise StoreError while queues may be missing, see the states above."""
        if self._committer.trouble is not None:
            raise StoreError(self._committer.trouble)
        if time.monotonic() < self._settled_at:
            raise StoreError(
                f'{self._committer.path} has just been opened again after its files went away; '
                f'its queues are declared again within {_SETTLING} s'
            )

    def _check(self) -> None:
        self._committer.check_files()
        self._check_files()

    def _recover(self) -> None:
        reminder, pause = Reminder(), _PAUSE
        while True:
            gevent.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            try:
                self._committer.reopen(self._timeout)
                break
            except Killed:
                raise
            except StoreError as error:
                if reminder.due(time.monotonic()):
                    logger.error('cannot open the events again: %s', error_text(error))
            except BaseException as error:  # noqa: BLE001 - the next attempt comes in any case
                log_failure(logger, error, 'cannot open the events again')
        logger.warning('%s is open again', self._committer.path)
        self._reopened()
