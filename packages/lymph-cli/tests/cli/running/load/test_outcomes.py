"""Outcomes of calls are counted by kind, however many kinds peers invent."""

from __future__ import annotations

import pytest

from lymph.cli._running.load.outcomes import OTHERS, Tally, is_mistake, outcome_of
from lymph.exceptions import (
    ConnectionLost,
    Expired,
    Failed,
    LookupFailure,
    NotConnected,
    Refused,
    RemoteError,
    RpcError,
    Timeout,
)


@pytest.mark.parametrize(
    ('error', 'name', 'mistake'),
    [
        (RemoteError.named('ValueError', 'no'), 'raised ValueError', False),
        (Refused('busy', 'overloaded'), 'refused: overloaded', False),
        (Refused('stopping', 'draining'), 'refused: draining', False),
        (Refused('txet', 'invalid_arguments'), 'refused: invalid_arguments', True),
        (Refused('uper', 'unknown_method'), 'refused: unknown_method', True),
        (Refused('a\x1b[2J', 'a\x1b[2J'), 'refused: a\\x1b[2J', False),
        (Failed('it broke'), 'failed', False),
        (Timeout('late'), 'timeout', False),
        (Expired('too late'), 'expired', False),
        (ConnectionLost('gone'), 'connection lost', False),
        (NotConnected('refused'), 'not connected', False),
        (LookupFailure('nobody'), 'no instance', True),
        (RpcError('?'), 'error', False),
    ],
)
def test_each_error_is_one_outcome(error: RpcError, name: str, mistake: bool) -> None:
    assert outcome_of(error) == name
    assert is_mistake(error) == mistake


def test_first_error_of_each_outcome_is_kept() -> None:
    tally = Tally()
    tally.succeeded(0.1)
    tally.failed(Timeout('first'), 1.0)
    tally.failed(Timeout('second'), 2.0)
    assert (tally.calls, tally.failures) == (3, 2)
    assert tally.errors == {'timeout': 'first'}
    assert tally.all().most == 2.0


def test_error_types_invented_by_peers_take_bounded_memory() -> None:
    tally = Tally()
    for number in range(1000):
        tally.failed(RemoteError.named(f'Error{number}', 'x' * 10_000), 0.1)
    assert len(tally.outcomes) < 50
    assert tally.outcomes[OTHERS].count > 900
    assert tally.failures == 1000
    assert max(map(len, tally.errors.values())) < 1000
