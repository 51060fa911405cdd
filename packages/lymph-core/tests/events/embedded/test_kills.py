"""`kill -9` at every step between an emit and its acknowledgement loses no event.

A retry and a dead letter are one transaction each, so there is no step between the old and the new
place of an event.
"""

from __future__ import annotations

import signal
from collections import Counter

import pytest

from lymph.testing.contracts.events import Inbox
from lymph.testing.waiting import eventually

EVENTS = 8
KILLED = 3  # the event that the process is killed with

EMITTER = """
    import lymph.events._embedded.system as module

    step, killed = arguments[0], int(arguments[1])
    publish = module.publish

    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    for n in range(killed + 1):
        if n == killed:
            if step == 'before it is written':
                module.publish = die
            elif step == 'before it is committed':
                module.publish = lambda *facts: die(publish(*facts))
            else:
                system._wake_all = die
        system.emit(Event('thing', {'n': n}))
        say(n)
    """

CONSUMER = """
    import lymph.events._embedded.store as module

    step, killed = arguments[0], int(arguments[1])
    outcome = {
        'before the acknowledgement': 'acknowledge',
        'before it waits for another attempt': 'retry',
        'before it is a dead letter': 'bury',
    }.get(step)

    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    def handler(event):
        if event.body['n'] == killed:
            if outcome is None:
                die()
            setattr(module, outcome, die)
            if outcome != 'acknowledge':
                raise RuntimeError('not yet')
        say(event.body['n'])

    retry = 5 if outcome == 'retry' else 0
    system.subscribe(Subscription('queue', ('thing',), handler, sequential=True, retry=retry))
    gevent.sleep(1000)
    """


@pytest.fixture
def run_until_killed(run):
    """Return a function that runs a program until it kills itself and returns its numbers."""

    def run_until_killed(code, *arguments):
        process = run(code, *arguments)
        told = [int(line) for line in process.hear_all()]
        assert process.wait() == -signal.SIGKILL
        return told

    return run_until_killed


@pytest.mark.parametrize(
    ('step', 'more'),
    [
        ('before it is written', []),
        ('before it is committed', []),
        ('before emit returns', [KILLED]),
    ],
)
def test_events_confirmed_before_the_emitter_was_killed_are_delivered(
    run_until_killed, start, subscribe, emit, step, more
):
    system, inbox = start(), Inbox()
    subscribe(system, inbox, sequential=True)
    told = run_until_killed(EMITTER, step, KILLED)
    assert told == list(range(KILLED))
    emit(system, 'last')
    eventually(lambda: inbox.numbers == [*told, *more, 'last'], 10)


@pytest.mark.parametrize(
    ('step', 'repeated'),
    [
        ('in the handler', []),
        ('before the acknowledgement', [KILLED]),
        ('before it waits for another attempt', []),
        ('before it is a dead letter', []),
    ],
)
def test_event_of_a_killed_consumer_is_handled_by_another(
    run_until_killed, start, subscribe, emit, step, repeated
):
    system, inbox = start(), Inbox()
    system.unsubscribe(subscribe(system, inbox))
    for n in range(EVENTS):
        emit(system, n)
    told = run_until_killed(CONSUMER, step, KILLED)
    assert told == [*range(KILLED), *repeated]
    subscribe(system, inbox)
    eventually(lambda: set(told) | set(inbox.numbers) == set(range(EVENTS)), 10)
    emit(system, 'last')
    eventually(lambda: 'last' in inbox.numbers)
    assert Counter(told + inbox.numbers) == Counter([*range(EVENTS), *repeated, 'last'])
    assert not system.dead_letters.read('queue')


POISON = """
    def handler(event):
        if event.body['n'] == 'poison':
            os.kill(os.getpid(), signal.SIGKILL)
        say(event.body['n'])

    system.subscribe(Subscription('queue', ('thing',), handler))
    gevent.sleep(1000)
    """


def test_event_that_keeps_killing_its_process_becomes_a_dead_letter(run, start, subscribe, emit):
    system, inbox = start(), Inbox()
    system.unsubscribe(subscribe(system, inbox))
    for n in (1, 'poison', 2):
        emit(system, n)
    told = set()
    for _ in range(11):
        process = run(POISON)
        told.update(process.hear_all())
        assert process.wait() == -signal.SIGKILL
    subscribe(system, inbox)
    (letter,) = eventually(lambda: system.dead_letters.read('queue'), 10)
    assert letter.event.body == {'n': 'poison'}
    assert 'its consumer ended' in letter.error
    eventually(lambda: told | {str(n) for n in inbox.numbers} == {'1', '2'}, 10)
    assert 'poison' not in inbox.numbers
