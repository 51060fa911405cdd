"""How processes end, in words."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

from lymph.config.printable import quoted
from lymph.services.node._fleet.definitions import Definition, Restart
from lymph.services.node._fleet.supervision import Decision, Policy

__all__ = ['CANNOT_RUN', 'describe_exit', 'in_order', 'report', 'why_not_run']

#: What a shell says of a command that cannot be run.
CANNOT_RUN = 126
_WRONG = 2
#: How a process that was told to stop may end: also by the signal, whether it dies of it or, as a
#: `lymph` that has just been started, says so.
_ORDERLY = (0, -signal.SIGTERM, 128 + signal.SIGTERM)


def in_order(exit_code: int) -> bool:
    """Tell whether a process that was told to stop has ended as it should."""
    return exit_code in _ORDERLY


def describe_exit(exit_code: int) -> str:
    """Return how a process ended, as half a sentence; a negative code is a signal."""
    if exit_code >= 0:
        return f'ended with exit code {exit_code}'
    try:
        return f'killed by {signal.Signals(-exit_code).name}'
    except ValueError:  # real-time signals have no names
        return f'killed by signal {-exit_code}'


def why_not_run(definition: Definition, error: OSError) -> str:
    """Return why a command cannot be run: the system says the same of a program and its folder."""
    if definition.cwd is not None and not os.path.isdir(definition.cwd):
        return f'no folder {quoted(definition.cwd)} (cwd)'
    return f'{definition.command[0]}: {error.strerror}'


def report(
    exit_code: int, lived: float, decision: Decision, restart: Restart, policy: Policy
) -> Iterator[str]:
    """Yield what there is to say of the end of a process that lived for so many seconds."""
    if decision.state == 'finished':
        yield 'finished'
        return
    how = f'{describe_exit(exit_code)} after {lived:.1f} s'
    if decision.state == 'stopped':
        yield how
    elif decision.delay is None:
        yield f'{how}, not started again'
    else:
        yield f'{how}, next start in {decision.delay:g} s'
    if decision.alarm:
        why = _why_failed(exit_code, restart, policy)
        yield f'has failed: {why}; its last lines may say why'


def _why_failed(exit_code: int, restart: Restart, policy: Policy) -> str:
    if exit_code == _WRONG:
        return 'exit code 2 stands for a configuration that cannot be used'
    if restart == 'never':
        return 'it ended, and restart is never'
    return (
        f'it keeps failing, {policy.failing_after} times in a row it lived less than '
        f'{policy.stable_after:g} s'
    )
