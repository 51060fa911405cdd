"""Any exception of a handler is a failed attempt, except for its own kill."""

from __future__ import annotations

import asyncio
import builtins
import re
from collections.abc import Callable
from typing import Any

import gevent
import pytest

from lymph.core.events import Event
from lymph.events.base import BaseEventSystem
from lymph.events.deadletters import DeadLetter
from lymph.testing.contracts._events.harness import EventSystemHarness, Inbox

__all__ = ['RAISED', 'ExclusiveOutcomesContract', 'OutcomesContract']


class _OwnKind(BaseException):
    pass


class _Wordless(Exception):
    def __str__(self) -> str:
        raise RuntimeError('no words')


class _Quitting(Exception):
    def __str__(self) -> str:
        raise SystemExit(4)

    __repr__ = __str__


class _NoText(Exception):
    def __str__(self) -> str:
        return 5  # type: ignore[return-value]


class _ClassLess(Exception):
    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError('no class')


class _Unequal(Exception):
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise SystemExit('eq')

    def __bool__(self) -> bool:
        raise SystemExit('bool')


def _circle() -> BaseException:
    first, second = ValueError('first'), ValueError('second')
    first.__cause__, second.__cause__ = second, first
    return first


def _group() -> BaseException:
    """Return an exception group, or on Python 3.10, which has none, an ordinary error."""
    group: Any = getattr(builtins, 'BaseExceptionGroup', None)
    return _OwnKind() if group is None else group('several', [SystemExit(1), ValueError()])


#: Factories of what handlers raise.
RAISED: tuple[Callable[[], BaseException], ...] = (
    ValueError,
    SystemExit,
    lambda: SystemExit(0),
    lambda: SystemExit(3),
    lambda: SystemExit('a text'),
    KeyboardInterrupt,
    GeneratorExit,
    StopIteration,
    asyncio.CancelledError,
    gevent.GreenletExit,
    lambda: gevent.Timeout(1),
    _group,
    _OwnKind,
    lambda: pytest.fail.Exception('failed'),
    lambda: pytest.skip.Exception('skipped'),
    lambda: pytest.exit.Exception('exited'),
    _Wordless,
    _Quitting,
    _NoText,
    _ClassLess,
    _Unequal,
    _circle,
    lambda: OSError(2, 'no such file', 'name-\udcff'),
    lambda: ValueError('a NUL \x00, an escape \x1b[2J\nand two lines'),
    lambda: ValueError('long' * 100_000),
)


def _raise(event: Event) -> None:
    raise RAISED[event.body['n']]()


def _break(event: Event) -> None:
    raise RuntimeError('broken')


_LEFT_OUT = re.compile(r'(\d+) more lines were left out')


class OutcomesContract(EventSystemHarness):
    """Tests that every attempt has exactly one outcome, whatever its handler raises."""

    @pytest.mark.parametrize('retry', [0, 1])
    def test_whatever_a_handler_raises_is_a_failed_attempt_and_then_a_dead_letter(
        self, retry: int
    ) -> None:
        """Any exception, also a BaseException, is retried and then recorded with its type."""
        system, inbox = self.start(), Inbox(_raise)
        self.subscribe(system, inbox, retry=retry)
        self._expect_dead_letters(system, inbox, 1 + retry)

    @pytest.mark.parametrize('options', [{'broadcast': True}, {'once': True}, {'durable': False}])
    def test_a_queue_of_one_instance_counts_attempts_as_well(self, options: dict[str, Any]) -> None:
        """If the handler of a temporary queue raises, its event is retried and then dead."""

        def stop(event: Event) -> None:
            raise SystemExit(event.attempt)

        system, inbox = self.start(), Inbox(stop)
        self.subscribe(system, inbox, retry=1, **options)
        sent = self.emit(system, 1)

        def of_the_event() -> list[DeadLetter]:
            assert system.dead_letters is not None
            letters = system.dead_letters.scan()
            return [each for each in letters if each.event and each.event.id == sent.id]

        (letter,) = self.eventually(of_the_event)
        assert [event.attempt for event in inbox.events] == [1, 2]
        assert (letter.error, letter.attempts) == ('SystemExit: 2', 2)

    def test_an_error_without_a_text_holds_up_no_sequential_queue(self) -> None:
        """A sequential subscription goes on after any exception."""
        system, inbox = self.start(), Inbox(_raise)
        self.subscribe(system, inbox, sequential=True)
        self._expect_dead_letters(system, inbox, 1)

    def test_each_failed_attempt_reaches_the_error_hook(self) -> None:
        """The error hook is called with exceptions of every kind."""
        system, told = self.start(), []
        system.error_hook.install(lambda error, **details: told.append(type(error)))
        self.subscribe(system, _raise)
        for n in range(len(RAISED)):
            self.emit(system, n)
        kinds = {type(make()) for make in RAISED}
        self.eventually(lambda: len(told) >= len(RAISED))
        assert set(told) == kinds

    def test_a_failing_error_hook_changes_no_outcome(self) -> None:
        """If the error hook raises, the event becomes a dead letter all the same."""

        def fail(error: BaseException, **details: Any) -> None:
            raise SystemExit(5)

        system, inbox = self.start(), Inbox(_raise)
        system.error_hook.install(fail)
        self.subscribe(system, inbox)
        self.emit(system, 0)
        self.eventually(lambda: self.read_dead_letters(system, self.queue()))
        self.settle()
        assert inbox.numbers == [0]

    def test_a_flood_of_failures_is_told_in_few_lines_and_their_number(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Of 300 failures some are logged; the log says how many lines were left out."""
        system, count = self.start(), 300
        self.subscribe(system, _break)
        gevent.joinall([gevent.spawn(self.emit, system, n) for n in range(count)], raise_error=True)
        self.eventually(lambda: self._dead(system) == count)
        self.stop(system)
        lines = [each.getMessage() for each in caplog.records if self.queue() in each.getMessage()]
        written = [line for line in lines if 'the handler failed' in line]
        left_out = [int(found[1]) for line in lines if (found := _LEFT_OUT.search(line))]
        assert len(written) < count
        assert len(written) + sum(left_out) == count

    def _dead(self, system: BaseEventSystem) -> int:
        assert system.dead_letters is not None
        _, count = system.dead_letters.oldest(self.queue(), 1)
        return count

    def _expect_dead_letters(self, system: Any, inbox: Inbox, attempts: int) -> None:
        for n in range(len(RAISED)):
            self.emit(system, n)
        wanted = range(len(RAISED))
        self.eventually(lambda: len(self.read_dead_letters(system, self.queue())) >= len(wanted))
        letters = {
            letter.event.body['n']: letter
            for letter in self.read_dead_letters(system, self.queue())
            if letter.event is not None
        }
        assert sorted(letters) == list(wanted)
        for n, make in enumerate(RAISED):
            assert letters[n].error.startswith(type(make()).__name__)
            assert letters[n].attempts == attempts
        assert letters[3].error == 'SystemExit: 3'
        assert sorted(inbox.numbers) == sorted(list(wanted) * attempts)


class ExclusiveOutcomesContract(EventSystemHarness):
    """The same tests for exclusive queues."""

    def test_whatever_a_handler_raises_holds_up_no_exclusive_queue(self) -> None:
        """An exclusive queue goes on, in order, after any exception."""
        system, inbox = self.start(), Inbox(_raise)
        self.subscribe(system, inbox, exclusive=True)
        for n in range(len(RAISED)):
            self.emit(system, n)
        letters = self.eventually(
            lambda: (
                (found := self.read_dead_letters(system, self.queue()))
                and len(found) >= len(RAISED)
                and found
            )
        )
        assert inbox.numbers == list(range(len(RAISED)))
        for letter in letters:
            assert letter.error.startswith(type(RAISED[letter.event.body['n']]()).__name__)
