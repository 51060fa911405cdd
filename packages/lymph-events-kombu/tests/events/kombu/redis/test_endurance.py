"""Unexpected errors fail one command or the connection; other commands get their own replies."""

from __future__ import annotations

from typing import Any

import gevent
import pytest

from lymph.core.events import Event
from lymph.core.failures import Killed
from lymph.events.kombu import BrokerError
from lymph.events.kombu._redis.store import RedisStore
from lymph.exceptions import SubscriptionError
from lymph.testing.waiting import eventually

PATIENCE = 30.0


class Unforeseen(BaseException):
    """An error that no code expects."""


def test_unsendable_or_abandoned_command_does_not_affect_others(bench: Any) -> None:
    system, handled = bench.start(confirm_timeout=PATIENCE), set()
    bench.subscribe(system, lambda event: handled.add(event.body['n']))

    def impossible(*arguments: Any) -> None:
        with pytest.raises(BrokerError, match='ECHO cannot be sent'):
            system._link.connection.call(PATIENCE, 'ECHO', *arguments)

    def echoed(n: int) -> None:
        assert system._link.connection.call(PATIENCE, 'ECHO', str(n)) == str(n).encode()

    def interrupted() -> None:
        with gevent.Timeout(0, False):
            bench.emit(system, 'late')

    greenlets, killed = [], []
    for n in range(100):
        greenlets.append(gevent.spawn(bench.emit, system, n))
        greenlets.append(gevent.spawn(impossible, '\udc80'))
        greenlets.append(gevent.spawn(echoed, n))
        greenlets.append(gevent.spawn(impossible, object()))
        greenlets.append(gevent.spawn(interrupted))
        killed.append(gevent.spawn(bench.emit, system, 'killed'))
    gevent.sleep(0)
    gevent.killall(killed, Killed)
    gevent.joinall(greenlets, raise_error=True)
    eventually(lambda: set(range(100)) <= handled, PATIENCE)
    eventually(lambda: bench.left() == {}, PATIENCE)


@pytest.mark.parametrize('name', ['\udcff', 'q\udcff'])
def test_invalid_queue_name_is_rejected(bench: Any, name: str) -> None:
    system = bench.start()
    with pytest.raises(SubscriptionError, match='cannot be sent'):
        system.has_queue(name)
    bench.emit(system)
    assert not system.has_queue('no such queue')


def test_reply_whose_callback_fails_affects_no_other_reply(bench: Any) -> None:
    system, told = bench.start(), []

    def fail(reply: Any) -> None:
        told.append(reply)
        raise RuntimeError('what is this')

    pipe = system._link.connection
    pipe.send(fail, 'ECHO', 'one')
    assert pipe.call(PATIENCE, 'ECHO', 'two') == b'two'
    pipe.send(fail, 'ECHO', 'three')
    pipe.end()
    with pytest.raises(BrokerError, match='lost'):
        pipe.call(PATIENCE, 'ECHO', 'four')
    assert told[0] == b'one'
    assert len(told) == 2


def test_failed_wake_up_ends_the_connection(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    system, emitter, handled, rings = bench.start(), bench.start(), [], []
    bench.subscribe(system, lambda event: handled.append(event.body['n']))
    bells, pipe = system._link._bells, system._link._bells._pipe

    def fail(queue: str) -> None:
        rings.append(queue)
        raise RuntimeError('what is this')

    eventually(lambda: system._consumption._line == {}, PATIENCE)  # it listens
    monkeypatch.setattr(bells, '_ring', fail)
    bench.emit(emitter, 1)
    eventually(lambda: handled == [1], PATIENCE)
    assert rings[0] == bench.name
    assert system._link._bells._pipe is not pipe


def test_instance_reports_that_it_lives_again_after_a_failure(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, looks = RedisStore._look, []

    def broken(store: RedisStore) -> None:
        looks.append(store)
        if len(looks) == 1:
            raise Unforeseen
        look(store)

    monkeypatch.setattr(RedisStore, '_look', broken)
    system, handled = bench.start(transport_options={'visibility_timeout': 1}), []
    bench.subscribe(system, lambda event: handled.append(event.body['n']))
    eventually(lambda: len(looks) > 2, PATIENCE)
    bench.emit(system, 1)
    eventually(lambda: handled == [1], PATIENCE)


def test_error_that_cannot_be_encoded_is_stored_escaped(bench: Any) -> None:
    system = bench.start()

    def fail(event: Event) -> None:
        raise OSError(2, 'no such file', 'name-\udcff')

    bench.subscribe(system, fail, sequential=True)
    for n in range(3):
        bench.emit(system, n)
    letters = eventually(lambda: len(found := bench.dead(system)) == 3 and found, PATIENCE)
    assert {letter.error for letter in letters} == {
        r"FileNotFoundError: [Errno 2] no such file: 'name-\udcff'"
    }


def test_dead_letter_with_missing_fields_is_shown_and_dropped(bench: Any) -> None:
    system = bench.start()
    for n, fields in enumerate(
        (
            (),
            ('queue', bench.name, 'record', 'xyz', 'attempts', 'many', 'died', '9' * 15),
            ('queue', 'a\nb', 'record', '-1 \u2028', 'error', '\x1b[2J', 'attempts', '9' * 30),
        )
    ):
        letter = str(900_000_000 + n)
        if fields:
            bench.server.command('HSET', f'lymph:letter:{letter}', *fields)
        bench.server.command('ZADD', 'lymph:dead', letter, letter)
    letters = [each for each in system.dead_letters.scan() if int(each.id) >= 900_000_000]
    assert len(letters) == 3
    for letter in letters:
        assert letter.event is None
        assert letter.error.isprintable()
        assert 0 <= letter.died < 253_402_300_800
        assert system.dead_letters.find(letter.id) is not None
        assert system.dead_letters.drop(letter.id) == 1
        assert system.dead_letters.find(letter.id) is None
