"""A consumer that is lost while it handles an event uses up one of its attempts."""

from __future__ import annotations

import json
import signal
import sys
from typing import Any

from gevent.event import Event as Signal

from lymph.core.events import Event
from lymph.core.failures import Killed
from lymph.events.base import Subscription
from lymph.testing.contracts._events.children import exit_status
from lymph.testing.contracts._events.harness import EventSystemHarness, Inbox

__all__ = ['ExclusiveLossesContract', 'LossesContract']


class _Losses(EventSystemHarness):
    def lose_a_consumer(self, attempt: int, **options: Any) -> None:
        """Let a consumer fail the event of the queue until it is killed in attempt `attempt`.

        If events outlive a process, the consumer has its own, which is killed with SIGKILL.
        """
        facts = {'queue_name': self.queue(), 'event_types': (self.topic('thing'),), **options}
        section = self.section()
        if section is None:
            self._cut_a_consumer(attempt, Subscription(handler=print, **facts))
            return
        module = 'lymph.testing.contracts._events.lost_consumer'
        arguments = [json.dumps(dict(section)), json.dumps(facts), str(attempt)]
        status = exit_status([sys.executable, '-m', module, *arguments], timeout=60)
        assert status == -signal.SIGKILL

    def _cut_a_consumer(self, attempt: int, subscription: Subscription) -> None:
        cut = Signal()

        def handle(event: Event) -> None:
            if event.attempt >= attempt:
                system.pause()
                cut.set()
                raise Killed
            raise RuntimeError('not yet')

        system = self.start()
        options: dict[str, Any] = {
            'retry': subscription.retry,
            'exclusive': subscription.exclusive,
        }
        self.subscribe(system, handle, **options)
        assert cut.wait(self.patience)
        self.stop(system)

    def expect_one_last_attempt(self, number: int, **options: Any) -> None:
        """Fail the event once more, and assert that this was attempt `number` and the last."""
        inbox = Inbox(_broken)
        system = self._systems[0]
        self.subscribe(system, inbox, **options)
        (letter,) = self.eventually(lambda: self.read_dead_letters(system, self.queue()))
        assert [event.attempt for event in inbox.events] == [number]
        assert letter.attempts == number
        assert letter.error == 'RuntimeError: broken'

    def emit_to_a_queue(self, **options: Any) -> None:
        """Emit an event to a queue that has no consumer yet."""
        system = self.start()
        topics = (self.topic('thing'),)
        system.declare(Subscription(self.queue(), topics, print, **options))
        self.emit(system)


class LossesContract(_Losses):
    """Tests that attempts of lost consumers count like any other."""

    def test_a_consumer_that_is_killed_between_attempts_uses_up_one_of_the_retries(self) -> None:
        """An attempt that ends with the death of its process counts as a failed one."""
        self.emit_to_a_queue()
        self.lose_a_consumer(attempt=2, retry=2)
        self.expect_one_last_attempt(3, retry=2)


class ExclusiveLossesContract(_Losses):
    """The same tests for exclusive queues."""

    def test_a_killed_consumer_of_an_exclusive_queue_uses_up_one_of_the_retries(self) -> None:
        """The attempts of a killed exclusive consumer count, too."""
        self.emit_to_a_queue(exclusive=True)
        self.lose_a_consumer(attempt=1, retry=1, exclusive=True)
        self.expect_one_last_attempt(2, retry=1, exclusive=True)


def _broken(event: Event) -> None:
    raise RuntimeError('broken')
