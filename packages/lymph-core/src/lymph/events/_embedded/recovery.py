"""Opening the store again after its files went away, and putting back what else was removed.

- Whoever commits notices first. For those who have nothing to commit the files are looked at every
  `INTERVAL` seconds, and at once when their directory or the file of the turns goes.
- What is there then is opened, or made. It may be empty or an older copy: so instances make
  themselves known again and declare their queues again.
- Until all have had the time to notice and to do that, an emitter is refused: its event could find
  no queue there that collects it, and nobody would ever know.
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
_SETTLING = 2.5  # seconds in which all have noticed, and declared their queues again
_PAUSE = 0.1  # seconds, first for whoever removes the files to be done, later between attempts
_LONGEST_PAUSE = 1.0


class Recovery:
    """Watches over the files of `committer` while it is open.

    `reopened()` is called in a greenlet after they were lost and opened again. `keep_place()` is
    called in the hub every `INTERVAL` seconds, to look after the files beside them; it must not
    wait.
    """

    def __init__(
        self,
        component: Component,
        committer: Committer,
        timeout: float,
        reopened: Callable[[], object],
        keep_place: Callable[[], object],
    ) -> None:
        self._component = component
        self._committer = committer
        self._timeout = timeout
        self._reopened = reopened
        self._keep_place = keep_place
        self._watchers: list[Any] = []
        self._greenlet: Greenlet | None = None
        self._settled_at = 0.0  # by the monotonic clock
        abandon_in_children(self)

    def start(self) -> None:
        """Begin to watch."""
        loop = gevent.get_hub().loop
        timer = loop.timer(INTERVAL, INTERVAL, ref=False)
        directory = self._committer.path.parent
        # that of the database would be told of each commit
        paths = (self._committer.turns, directory.parent)
        removals = [loop.stat(str(path), INTERVAL, ref=False) for path in paths]
        self._watchers = [timer, *removals]
        timer.start(self._look)
        for removal in removals:
            removal.start(self._committer.look)

    def stop(self) -> None:
        """Watch no more."""
        self.abandon()
        greenlet, self._greenlet = self._greenlet, None
        if greenlet is not None:
            greenlet.kill()

    def abandon(self) -> None:
        """Watch no more, in a forked child."""
        watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            watcher.stop()
            watcher.close()

    def lost(self) -> None:
        """Open the files again; they have just gone away."""
        logger.error('%s; what was in it may be lost', self._committer.trouble)
        self._settled_at = time.monotonic() + _SETTLING
        if not self._greenlet:
            self._greenlet = self._component.spawn(self._recover)

    def expect_settled(self) -> None:
        """Raise StoreError while queues may be missing that are declared again."""
        if self._committer.trouble is not None:
            raise StoreError(self._committer.trouble)
        if time.monotonic() < self._settled_at:
            raise StoreError(
                f'{self._committer.path} has just been opened again after its files went away; '
                f'its queues are declared again within {_SETTLING} s'
            )

    def _look(self) -> None:
        self._committer.look()
        self._keep_place()

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
            except BaseException as error:  # noqa: BLE001 - it is tried again in any case
                log_failure(logger, error, 'cannot open the events again')
        logger.warning('%s is open again', self._committer.path)
        self._reopened()
