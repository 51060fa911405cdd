from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.services.node._fleet.definitions import Restart
from lymph.services.node._fleet.supervision import Decision, Event, Policy, State, Supervision

POLICY = Policy(stable_after=10, first_delay=0.5, longest_delay=3, failing_after=5, failed_delay=60)
FAILED = 1

EVENTS: tuple[Event, ...] = ('start', 'ready', 'replace', 'stop')


def supervised(restart: Restart = 'on-failure', *events: Event) -> Supervision:
    supervision = Supervision(POLICY, restart)
    for event in events:
        supervision.happened(event)
    return supervision


def live(supervision: Supervision, exit_code: int, lived: float = 0.0) -> Decision:
    supervision.happened('start')
    return supervision.ended(exit_code, lived)


@pytest.mark.parametrize(
    ('events', 'expected'),
    [
        ([], 'stopped'),
        (['stop'], 'stopped'),
        (['start'], 'starting'),
        (['start', 'ready'], 'running'),
        (['start', 'ready', 'ready'], 'running'),
        (['start', 'stop'], 'stopping'),
        (['start', 'stop', 'ready'], 'stopping'),
        (['start', 'ready', 'stop', 'stop'], 'stopping'),
        (['start', 'ready', 'replace'], 'running'),
        (['start', 'replace'], 'running'),
    ],
)
def test_events_lead_from_state_to_state(events: list[Event], expected: State) -> None:
    assert supervised('always', *events).state == expected


@pytest.mark.parametrize(
    ('events', 'impossible'),
    [
        ([], 'ready'),
        ([], 'replace'),
        (['start'], 'start'),
        (['start', 'ready'], 'start'),
        (['start', 'stop'], 'start'),
        (['start', 'stop'], 'replace'),
    ],
)
def test_impossible_events_are_rejected(events: list[Event], impossible: Event) -> None:
    with pytest.raises(ValueError, match='cannot happen while'):
        supervised('always', *events, impossible)


@pytest.mark.parametrize(
    ('restart', 'exit_code', 'state', 'delay'),
    [
        ('always', 0, 'waiting', 0),
        ('always', 1, 'waiting', 0.5),
        ('always', 2, 'failed', 60),
        ('always', -15, 'waiting', 0.5),
        ('on-failure', 0, 'finished', None),
        ('on-failure', 1, 'waiting', 0.5),
        ('on-failure', 2, 'failed', 60),
        ('on-failure', 127, 'waiting', 0.5),
        ('on-failure', -9, 'waiting', 0.5),
        ('never', 0, 'finished', None),
        ('never', 1, 'failed', None),
        ('never', 2, 'failed', None),
        ('never', -9, 'failed', None),
    ],
)
def test_next_state_after_an_exit_depends_on_restart(
    restart: Restart, exit_code: int, state: State, delay: float | None
) -> None:
    supervision = supervised(restart, 'start', 'ready')
    decision = supervision.ended(exit_code, lived=100)
    assert (decision.state, decision.delay) == (state, delay)
    assert decision.alarm == (state == 'failed')
    assert supervision.state == state


@pytest.mark.parametrize('exit_code', [0, 1, 2, -15])
@pytest.mark.parametrize('restart', ['always', 'on-failure', 'never'])
def test_stopped_process_stays_stopped(restart: Restart, exit_code: int) -> None:
    supervision = supervised(restart, 'start', 'ready', 'stop')
    assert supervision.ended(exit_code, lived=0) == Decision('stopped')
    assert not supervision.failing


@pytest.mark.parametrize(
    ('lives', 'expected'),
    [
        ([0, 0, 0, 0, 0, 0], [0.5, 1, 2, 3, 60, 60]),
        ([0, 0, 10, 0, 0], [0.5, 1, 0.5, 0.5, 1]),
        ([3600, 3600], [0.5, 0.5]),
        ([0, 0, 0, 0, 0, 10, 0], [0.5, 1, 2, 3, 60, 0.5, 0.5]),
    ],
)
def test_delays_grow_with_short_lives_in_a_row(lives: list[float], expected: list[float]) -> None:
    supervision = supervised()
    assert [live(supervision, FAILED, lived).delay for lived in lives] == expected


def test_short_lives_with_exit_code_0_are_repeated_with_a_delay() -> None:
    supervision = supervised('always')
    delays = [live(supervision, 0).delay for _ in range(5)]
    assert delays == [0.5, 1, 2, 3, 60]
    assert supervision.state == 'failed'


def test_process_that_keeps_failing_raises_one_alarm() -> None:
    supervision = supervised()
    alarms = [live(supervision, FAILED).alarm for _ in range(8)]
    assert alarms == [False, False, False, False, True, False, False, False]
    assert supervision.failing


def test_wrong_configuration_fails_at_once_and_until_a_life_is_long() -> None:
    supervision = supervised('always')
    found = [live(supervision, code, lived) for code, lived in ((2, 0), (2, 0), (1, 0), (1, 10))]
    assert [(each.state, each.alarm) for each in found] == [
        ('failed', True), ('failed', False), ('failed', False), ('waiting', False),
    ]  # fmt: skip
    assert not supervision.failing


def test_one_long_life_ends_the_alarm_and_allows_the_next_one() -> None:
    supervision = supervised()
    for _ in range(6):
        live(supervision, FAILED)
    live(supervision, FAILED, lived=10)
    assert not supervision.failing
    assert [live(supervision, FAILED).alarm for _ in range(5)][-2:] == [False, True]


@pytest.mark.parametrize('event', ['forgive', 'replace', 'long life'])
def test_process_that_kept_failing_can_be_started_again(event: str) -> None:
    supervision = supervised('always')
    for _ in range(5):
        live(supervision, FAILED)
    if event == 'forgive':
        supervision.forgive()
    elif event == 'replace':
        supervision.happened('start')
        supervision.happened('replace')
    else:
        supervision.happened('start')
        supervision.happened('stop')
        supervision.ended(0, lived=10)
    assert not supervision.failing


@given(
    st.sampled_from(['always', 'on-failure', 'never']),
    st.lists(
        st.one_of(st.sampled_from(EVENTS), st.tuples(st.integers(-9, 3), st.floats(0, 100))),
        max_size=300,
    ),
)
def test_every_state_can_be_left(
    restart: Restart, happenings: list[Event | tuple[int, float]]
) -> None:
    supervision = supervised(restart)
    for happening in happenings:
        before = supervision.state
        try:
            if isinstance(happening, tuple):
                decision = supervision.ended(*happening)
                assert decision.state == supervision.state
                delays = {'waiting': (0, 3), 'failed': (60, 60)}
                if decision.delay is not None:
                    least, most = delays[decision.state]
                    assert least <= decision.delay <= most
                else:
                    assert decision.state in ('stopped', 'finished') or restart == 'never'
            else:
                supervision.happened(happening)
        except ValueError:
            assert supervision.state == before
    supervision.happened('stop')
    if supervision.state == 'stopping':
        supervision.ended(0, 0)
    supervision.happened('start')
    assert supervision.state == 'starting'
