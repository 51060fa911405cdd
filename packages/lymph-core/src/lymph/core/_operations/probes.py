"""The probes of an orchestrator as decisions: which of the checks fail, and the answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lymph.config.printable import printable
from lymph.core._operations.answers import JSON, PortAnswer
from lymph.core.monitoring.connection_states import ConnectionState

__all__ = ['BlockedLoop', 'ProbeCheck', 'alive', 'probe_answer', 'ready', 'started']

_LONGEST = 500  # characters of a reason of a backend


class BlockedLoop(NamedTuple):
    """What blocks the loop: for how many seconds, and the stack, the innermost frame first."""

    seconds: float
    at: str
    stack: Sequence[str]

    def __str__(self) -> str:
        return f'the loop has been blocked for {self.seconds:.1f} s at {self.at}'


class ProbeCheck(NamedTuple):
    """One thing that was looked at. `text` says how it is; `details` are for JSON."""

    name: str
    passed: bool
    text: str
    details: Mapping[str, Any] = {}


def alive(blocked: BlockedLoop | None) -> list[ProbeCheck]:
    """Return the checks of ``/livez``; `blocked` is None while the loop answers in time."""
    if blocked is None:
        return [ProbeCheck('loop', True, 'the loop answers')]
    facts = {'seconds': blocked.seconds, 'at': blocked.at, 'stack': list(blocked.stack)}
    return [ProbeCheck('loop', False, str(blocked), facts)]


def started(has_started: bool, draining: bool) -> list[ProbeCheck]:
    """Return the checks of ``/startupz``."""
    if has_started:
        return [ProbeCheck('start', True, 'the instance has started')]
    return [ProbeCheck('start', False, 'stopped before it had started' if draining else 'starting')]


def ready(
    *,
    has_started: bool,
    draining: bool,
    blocked: BlockedLoop | None,
    connections: Mapping[str, ConnectionState | str | None],
    away: float,
    now: float,
) -> list[ProbeCheck]:
    """Return the checks of ``/readyz``.

    `connections` are the states of the registry and the broker by name: None for one without a
    server, text for why there is none. One may be away for `away` seconds; `now` is the Unix time.
    """
    stopping = 'draining: the instance is stopping' if draining else 'the instance is not stopping'
    return [
        *started(has_started, draining),
        ProbeCheck('stop', not draining, stopping),
        *alive(blocked),
        *(_connection(name, state, away, now) for name, state in connections.items()),
    ]


def _connection(
    name: str, state: ConnectionState | str | None, away: float, now: float
) -> ProbeCheck:
    if state is None:
        return ProbeCheck(name, True, f'{name}: there is no server')
    if isinstance(state, str):
        return ProbeCheck(
            name, False, f'{name}: its state is unknown: {printable(state, _LONGEST)}'
        )
    server = printable(state.server, _LONGEST)
    facts = state._asdict()
    if state.connected:
        return ProbeCheck(name, True, f'{name}: {server or "the server"} is reached', facts)
    gone = max(0.0, now - state.since)
    reason = f': {printable(state.reason, _LONGEST)}' if state.reason else ''
    text = f'{name}: {server or "the server"} has not been reached for {gone:.1f} s{reason}'
    return ProbeCheck(name, gone <= away, text, facts)


def probe_answer(checks: Sequence[ProbeCheck], *, verbose: bool, as_json: bool) -> PortAnswer:
    """Return the answer of a probe: 200 if all checks pass, 503 if not.

    As text, it is ``ok`` or the reasons; `verbose` adds all checks. A blocked loop has its stack.
    """
    failed = [check for check in checks if not check.passed]
    status = 503 if failed else 200
    if as_json:
        facts = {'ok': not failed, 'checks': [_facts(check) for check in checks]}
        return PortAnswer(status, json.dumps(facts, indent=2) + '\n', JSON)
    lines = [check.text for check in failed] or ['ok']
    for check in failed:
        lines += [f'  {line}' for line in check.details.get('stack', ())]
    if verbose:
        lines += [f'[{"+" if check.passed else "-"}] {check.text}' for check in checks]
    return PortAnswer(status, '\n'.join(lines) + '\n')


def _facts(check: ProbeCheck) -> dict[str, Any]:
    return {'name': check.name, 'ok': check.passed, 'text': check.text, **check.details}
