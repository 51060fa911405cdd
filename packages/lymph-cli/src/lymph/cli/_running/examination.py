"""Runs checks side by side; what one of them raises or waits for concerns no other.

A check that lets nobody else run, since it never waits or does so without gevent, is interrupted by
a signal when its time is over. The others then get a time of their own.
"""

from __future__ import annotations

import signal
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import gevent

from lymph.config.plugins import InstalledPlugin
from lymph.core.diagnosis import Check, Finding, NotChecked, Surroundings
from lymph.core.failures import Killed, error_line

__all__ = ['Outcome', 'examine', 'load_checks']

State = Literal['sound', 'found', 'not checked', 'failed']


@dataclass
class Outcome:
    """What became of the check `name`; `reason` is why it was not made, or why it failed.

    One that failed may have found something before.
    """

    name: str
    about: str = ''
    state: State = 'failed'
    findings: list[Finding] = field(default_factory=list)
    reason: str = ''


def load_checks(plugins: Mapping[str, InstalledPlugin]) -> tuple[dict[str, Check], list[Outcome]]:
    """Make the checks that plugins publish; returns those that cannot be made as failed."""
    checks: dict[str, Check] = {}
    failed = []
    for name, plugin in plugins.items():
        try:
            checks[name] = plugin.load_class(Check)()
        except BaseException as error:
            if isinstance(error, (Killed, KeyboardInterrupt)):
                raise
            failed.append(Outcome(name, reason=error_line(error)))
    return checks, failed


def examine(checks: Mapping[str, Check], around: Surroundings, timeout: float) -> Sequence[Outcome]:
    """Run checks, first those that are `early`, for up to `timeout` seconds each time."""
    outcomes = {
        name: Outcome(name, reason=f'it has not ended within {timeout:g} s') for name in checks
    }
    for early in (True, False):
        running = [
            gevent.spawn(_run, outcomes[name], check, around)
            for name, check in checks.items()
            if check.early is early
        ]
        _wait(running, timeout)
        # what they do from now on is no outcome any more
        outcomes = {name: replace(outcome) for name, outcome in outcomes.items()}
        gevent.killall(running, block=False)
    return list(outcomes.values())


def _wait(greenlets: Sequence[Any], timeout: float) -> None:
    with _interrupting(greenlets, timeout) as interrupted:
        for _ in range(len(greenlets) + 1):
            interrupted.clear()
            gevent.joinall(greenlets, timeout)
            if not interrupted:
                break


@contextmanager
def _interrupting(greenlets: Collection[Any], seconds: float) -> Iterator[list[Any]]:
    """Interrupt each greenlet that runs when `seconds` are over, and again and again.

    Yields the list of those that were. In another thread than the main one nothing is interrupted.
    """
    interrupted: list[Any] = []

    def interrupt(_number: int, _frame: object) -> None:
        current = gevent.getcurrent()
        if current in greenlets:
            interrupted.append(current)
            raise TimeoutError(f'it kept all others from running for {seconds:g} s')

    try:
        before = signal.signal(signal.SIGALRM, interrupt)
    except ValueError:
        yield interrupted
        return
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        yield interrupted
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _run(outcome: Outcome, check: Check, around: Surroundings) -> None:
    """Run a check and write into `outcome` what it finds, as it finds it."""
    try:
        outcome.about = str(check.about)
        for finding in check.run(around):
            if not isinstance(finding, Finding):
                raise TypeError(f'expected findings, found {type(finding).__name__}')
            outcome.findings.append(finding)
        outcome.state, outcome.reason = 'found' if outcome.findings else 'sound', ''
    except NotChecked as error:
        outcome.state, outcome.reason = 'not checked', str(error)
    except BaseException as error:  # noqa: BLE001 - also our own kill: nobody waits any more
        outcome.reason = error_line(error)
