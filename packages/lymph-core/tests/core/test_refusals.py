"""The refusals of stopped and forked objects, in all states and after all transitions."""

from __future__ import annotations

import pytest

from lymph.core._system.refusals import Availability
from lymph.exceptions import EmitFailure

IDLE = 'this thing is not running; start its container first'
CLOSED = 'this thing was stopped; make a new one'
FORKED = 'this thing was made before a fork; make a new one in the child process'

TO = {  # state: what each verb leads to
    'idle': {'start': None, 'stop': IDLE, 'close': CLOSED, 'abandon': FORKED},
    'running': {'start': None, 'stop': IDLE, 'close': CLOSED, 'abandon': FORKED},
    'closed': {'start': CLOSED, 'stop': CLOSED, 'close': CLOSED, 'abandon': FORKED},
    'forked': {'start': FORKED, 'stop': FORKED, 'close': FORKED, 'abandon': FORKED},
}


def make(state):
    made = Availability('thing', running=state == 'running')
    if state == 'closed':
        made.close()
    elif state == 'forked':
        made.abandon()
    return made


@pytest.mark.parametrize(
    ('state', 'verb', 'refusal'),
    [(state, verb, refusal) for state, verbs in TO.items() for verb, refusal in verbs.items()],
)
def test_each_state_has_one_refusal_and_forked_is_final(state, verb, refusal):
    made = make(state)
    getattr(made, verb)()
    assert made.refusal == refusal
    assert made.running == (refusal is None)
    assert made.forked == (refusal == FORKED)


def test_check_raises_the_given_error_with_its_subject():
    made = make('idle')
    with pytest.raises(EmitFailure) as caught:
        made.check(EmitFailure, 'thing.done')
    assert str(caught.value) == f'thing.done: {IDLE}'
    with pytest.raises(ValueError, match=f'^{IDLE}$'):
        made.check(ValueError)
    made.start()
    made.check(EmitFailure)


def test_check_for_forks_accepts_stopped_objects():
    made = make('closed')
    made.check_fork(ValueError)
    made.abandon()
    with pytest.raises(ValueError, match=f'^x: {FORKED}$'):
        made.check_fork(ValueError, 'x')
