"""Emitted events are handled when Redis, the network or consumers fail."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from lymph.core.events import Event
from lymph.exceptions import EmitFailure
from lymph.testing.faults.proxy import FaultProxy
from lymph.testing.waiting import eventually, let_pass

PATIENCE = 60.0  # seconds


@pytest.mark.parametrize('options', [{}, {'delay': 0.3}], ids=['at-once', 'delayed'])
@pytest.mark.parametrize('end', ['kill', 'stop'])
def test_restart_of_redis_loses_nothing(
    bench: Any, make_load: Any, in_thread: Callable[..., Any], end: str, options: dict[str, Any]
) -> None:
    emitter = bench.start(confirm_timeout=60)
    load = make_load(emitter, **options)
    bench.subscribe(bench.start(), load.handle)
    state = emitter.connection_state()
    assert (state.connected, state.reconnects) == (True, 0)
    with load.running():
        in_thread(getattr(bench.server, end))
        eventually(lambda: not emitter.connection_state().connected)
        in_thread(bench.server.start)
        eventually(lambda: emitter.connection_state().connected, PATIENCE)
    assert emitter.connection_state().reconnects == 1
    assert load.failed == set()
    eventually(lambda: bench.left() == {}, PATIENCE)


def test_retried_events_survive_a_restart_of_redis(
    bench: Any, make_load: Any, in_thread: Callable[..., Any]
) -> None:
    load = make_load(bench.start(confirm_timeout=60))

    def fail_at_first(event: Event) -> None:
        if event.attempt < 2:
            raise RuntimeError('not yet')
        load.handle(event)

    bench.subscribe(bench.start(), fail_at_first, retry=20)
    with load.running():
        in_thread(bench.server.kill)
        in_thread(bench.server.start)
    eventually(lambda: bench.left() == {}, PATIENCE)


@pytest.mark.parametrize('side', ['emitter', 'consumer'])
def test_cut_connections_lose_nothing(
    bench: Any, make_load: Any, proxy: FaultProxy, side: str
) -> None:
    through = {'urls': f'redis://{proxy.address}'}
    load = make_load(bench.start(**(through if side == 'emitter' else {})))
    bench.subscribe(bench.start(**(through if side == 'consumer' else {})), load.handle)
    with load.running():
        for _ in range(3):
            proxy.cut()
            load.makes_progress()
    assert load.failed == set()
    eventually(lambda: bench.left() == {}, PATIENCE)


@pytest.mark.parametrize('side', ['emitter', 'consumer'])
@pytest.mark.parametrize('direction', ['to_server', 'to_client', 'both'])
def test_a_black_hole_loses_nothing(
    bench: Any, make_load: Any, proxy: FaultProxy, side: str, direction: Any
) -> None:
    through = {'urls': f'redis://{proxy.address}', 'connect_timeout': 1}
    load = make_load(bench.start(confirm_timeout=60, **(through if side == 'emitter' else {})))
    bench.subscribe(bench.start(**(through if side == 'consumer' else {})), load.handle)
    with load.running():
        made = proxy.accepted
        proxy.blackhole(direction)
        eventually(lambda: proxy.accepted > made, 20)  # it was noticed
        proxy.heal()
    assert load.failed == set()
    eventually(lambda: bench.left() == {}, PATIENCE)


def test_slow_connection_loses_nothing(bench: Any, make_load: Any, proxy: FaultProxy) -> None:
    through = {'urls': f'redis://{proxy.address}', 'heartbeat': 5}
    load = make_load(bench.start(confirm_timeout=60))
    bench.subscribe(bench.start(**through), load.handle)
    with load.running():
        proxy.slow(4000)
        load.makes_progress()
        proxy.heal()
    assert load.failed == set()
    eventually(lambda: bench.left() == {}, PATIENCE)


def test_state_tells_the_server_and_the_reason_without_the_password(
    bench: Any, proxy: FaultProxy
) -> None:
    bench.user('+@all ~* &*')
    server = f'redis://{bench.name}@{proxy.address}/0'
    system = bench.start(urls=f'redis://{bench.name}:secret@{proxy.address}')
    state = system.connection_state()
    assert (state.connected, state.server, state.reason) == (True, server, '')
    proxy.refuse()
    proxy.cut()
    eventually(lambda: 'refused' in system.connection_state().reason, PATIENCE)
    state = system.connection_state()
    assert (state.connected, state.server, state.reconnects) == (False, server, 0)
    assert 'secret' not in state.reason
    proxy.heal()
    eventually(lambda: system.connection_state().connected, PATIENCE)
    assert system.connection_state().reconnects == 1


def test_refused_connection_is_retried_until_it_is_accepted(
    bench: Any, make_load: Any, proxy: FaultProxy
) -> None:
    load = make_load(bench.start())
    bench.subscribe(bench.start(urls=f'redis://{proxy.address}'), load.handle)
    with load.running():
        proxy.refuse()
        proxy.cut()
        eventually(lambda: len(load.lost()) == load.in_flight, PATIENCE)
        proxy.heal()
    eventually(lambda: bench.left() == {}, PATIENCE)


def test_emit_without_redis_fails_in_time_with_the_reason(bench: Any, proxy: FaultProxy) -> None:
    system = bench.start(urls=f'redis://{proxy.address}', confirm_timeout=1)
    proxy.refuse()
    proxy.cut()
    with pytest.raises(EmitFailure, match=rf'redis://{proxy.address}/0.*cannot connect.*refused'):
        bench.emit(system, 1)


def test_emit_to_a_silent_redis_fails_in_time(bench: Any, proxy: FaultProxy) -> None:
    system = bench.start(urls=f'redis://{proxy.address}', confirm_timeout=0.5)
    proxy.blackhole()
    with pytest.raises(EmitFailure, match='not known to be safe'):
        bench.emit(system, 1)


def test_another_address_is_used_when_one_is_unreachable(bench: Any, proxy: FaultProxy) -> None:
    handled: list[Any] = []
    urls = [f'redis://{proxy.address}', bench.server.url]
    system = bench.start(urls=urls)
    bench.subscribe(system, lambda event: handled.append(event.body['n']))
    proxy.close()
    bench.emit(system, 1)
    eventually(lambda: handled == [1])


CONSUMER = """
import sys, os, signal, gevent
from lymph.config import Configuration
from lymph.core.workers import Workers
from lymph.events.base import Subscription
from lymph.events.kombu import KombuEventSystem

url, name, mode = sys.argv[1:]
options = {'visibility_timeout': 3}
config = Configuration({'events': {'urls': url, 'transport_options': options}})
system = KombuEventSystem.from_config(config.view('events'))
system._workers = Workers(10)

def handle(event):
    print(event.body['n'], event.attempt, flush=True)
    if mode == 'hang':
        gevent.sleep(1000)
    if mode == 'poison':
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == 'block':
        import time
        time.sleep(5)

system.on_start()
system.subscribe(Subscription(name, (name + '.thing',), handle, broadcast='temporary' in mode))
print('ready', flush=True)
gevent.sleep(1000)
"""


class Consumer:
    """A process that consumes the queue of the test."""

    def __init__(self, bench: Any, mode: str) -> None:
        command = [sys.executable, '-c', CONSUMER, bench.server.url, bench.name, mode]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.line() == 'ready'

    def line(self) -> str:
        """Return the next line that it prints; blocks the test meanwhile."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.communicate()


def test_events_of_a_killed_consumer_go_to_another(bench: Any, in_thread: Any) -> None:
    emitter, handled = bench.start(), []
    consumer = in_thread(Consumer, bench, 'hang')
    for n in range(5):
        bench.emit(emitter, n)
    assert {in_thread(consumer.line).split()[0] for _ in range(5)} == set('01234')
    # one has failed often before: only losses make an event a dead letter
    script = "redis.call('HSET', KEYS[1], redis.call('HKEYS', KEYS[1])[1], 20)"
    bench.server.command('EVAL', script, '1', f'lymph:attempts:{bench.name}')
    consumer.kill()
    bench.subscribe(bench.start(), lambda e: handled.append((e.body['n'], e.attempt)))
    eventually(lambda: len(handled) >= 5, 20)
    assert sorted(n for n, _ in handled) == list(range(5))
    assert sorted(attempt for _, attempt in handled) == [2, 2, 2, 2, 21]
    eventually(lambda: bench.left() == {})


def test_handler_may_run_longer_than_the_visibility_timeout(bench: Any) -> None:
    handled: list[int] = []
    options = {'visibility_timeout': 1}
    first, second = (bench.start(transport_options=options) for _ in range(2))
    gate = Signal()

    def slow(event: Event) -> None:
        handled.append(event.attempt)
        gate.wait()

    subscription = bench.subscribe(first, slow)
    bench.emit(second, 1)
    eventually(lambda: handled)
    bench.subscribe(second, slow)
    looked = int(bench.server.command('GET', 'lymph:looked'))  # in ms
    eventually(lambda: int(bench.server.command('GET', 'lymph:looked')) > looked + 2500, 20)
    gate.set()
    eventually(lambda: bench.left() == {}, 20)
    assert handled == [1]
    first.unsubscribe(subscription)


def test_event_that_kills_its_consumers_becomes_a_dead_letter(bench: Any, in_thread: Any) -> None:
    system, name = bench.start(transport_options={'visibility_timeout': 1}), bench.name
    handled: list[Any] = []
    subscription = bench.subscribe(system, print)
    system.unsubscribe(subscription)
    bench.emit(system, 'poison')
    # ten consumers died before: that would take long, so it is only told
    (id,) = bench.ready()
    for count in ('attempts', 'losses'):
        bench.server.command('HSET', f'lymph:{count}:{name}', id, '10')
    consumer = in_thread(Consumer, bench, 'poison')
    assert in_thread(consumer.line) == 'poison 11'
    consumer.kill()
    (letter,) = eventually(lambda: bench.dead(system), 20)
    assert letter.attempts == 11
    assert 'its consumer ended in attempt 11' in letter.error
    bench.subscribe(system, lambda event: handled.append(event.body['n']))
    bench.emit(system, 'next')
    eventually(lambda: handled == ['next'])


def test_an_event_that_was_lost_twice_is_handled_alone(bench: Any) -> None:
    system, begun = bench.start(), []
    go_on = {n: Signal() for n in (1, 'suspect', 2)}

    def handle(event: Event) -> None:
        begun.append(event.body['n'])
        go_on[event.body['n']].wait()

    system.unsubscribe(bench.subscribe(system, print))
    for n in go_on:
        bench.emit(system, n)
    bench.server.command('HSET', f'lymph:losses:{bench.name}', bench.ready()[1], '2')
    bench.subscribe(system, handle)
    for number, n in enumerate(go_on, 1):
        eventually(lambda number=number: begun == list(go_on)[:number])
        let_pass(0.3, 'in which others might begin beside it')
        assert begun == list(go_on)[:number]
        go_on[n].set()
    eventually(lambda: bench.left() == {})


def test_repeatedly_killed_consumers_lose_only_the_event_that_kills_them(
    bench: Any, in_thread: Any
) -> None:
    system, handled = bench.start(transport_options={'visibility_timeout': 1}), []
    system.unsubscribe(bench.subscribe(system, print))
    bench.emit(system, 'poison')
    for n in range(5):
        bench.emit(system, n)
    for id in bench.ready():  # so often their consumers died before
        bench.server.command('HSET', f'lymph:attempts:{bench.name}', id, '10')
        bench.server.command('HSET', f'lymph:losses:{bench.name}', id, '10')
    consumer = in_thread(Consumer, bench, 'poison')
    assert in_thread(consumer.line) == 'poison 11'
    consumer.kill()
    (letter,) = eventually(lambda: bench.dead(system), 20)
    assert letter.event.body == {'n': 'poison'}
    bench.subscribe(system, lambda event: handled.append(event.body['n']))
    eventually(lambda: sorted(handled) == list(range(5)), 20)
    eventually(lambda: bench.left() == {})


def test_temporary_queue_of_a_killed_instance_is_deleted(bench: Any, in_thread: Any) -> None:
    system = bench.start()
    before = int(bench.server.command('HLEN', 'lymph:temporary'))
    consumer = in_thread(Consumer, bench, 'temporary')
    assert int(bench.server.command('HLEN', 'lymph:temporary')) == before + 1
    consumer.kill()
    eventually(lambda: int(bench.server.command('HLEN', 'lymph:temporary')) == before, 20)
    bench.emit(system, 1)


def test_instance_that_was_stopped_loses_its_events_and_recovers(
    bench: Any, in_thread: Any
) -> None:
    emitter, handled = bench.start(), []
    consumer = in_thread(Consumer, bench, 'block')
    bench.emit(emitter, 1)
    assert in_thread(consumer.line) == '1 1'
    bench.subscribe(bench.start(), lambda e: handled.append((e.body['n'], e.attempt)))
    eventually(lambda: handled == [(1, 2)], 20)
    bench.systems[-1].pause()
    gevent.sleep(0)
    bench.emit(emitter, 2)
    assert in_thread(consumer.line) == '2 1'
    consumer.kill()


SET_CLOCK = """
redis.call('INCRBY', 'lymph:looked', ARGV[1])
for _, key in ipairs({'lymph:owners', 'lymph:due:' .. ARGV[2]}) do
    for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do
        redis.call('ZINCRBY', key, ARGV[1], member)
    end
end
return 'set'
"""


def set_clock(bench: Any, hours: int) -> None:
    """Change the times stored in Redis as if its clock had been set by a number of hours."""
    ms = str(-hours * 3_600_000)
    assert bench.server.command('EVAL', SET_CLOCK, '0', ms, bench.name) == 'set'


def test_clock_that_is_set_back_delays_no_event(bench: Any) -> None:
    system, handled = bench.start(), []
    bench.subscribe(system, lambda event: handled.append(event.body['n']))
    bench.emit(system, 'delayed', delay=1)
    set_clock(bench, -1)
    eventually(lambda: handled == ['delayed'], 20)
    bench.emit(system, 'delayed again', delay=0.1)
    eventually(lambda: handled[1:] == ['delayed again'], 20)


@pytest.mark.parametrize('hours', [-1, 1])
def test_changed_clock_makes_no_live_instance_dead(bench: Any, hours: int) -> None:
    consumer, other = bench.start(), bench.start()
    handled: list[Any] = []
    bench.subscribe(
        consumer, lambda event: handled.append(event.body['n']), broadcast=True, durable=False
    )
    set_clock(bench, hours)
    # until all have looked once more since then
    looked = int(bench.server.command('GET', 'lymph:looked')) + max(hours, 0) * 3_600_000
    eventually(lambda: int(bench.server.command('GET', 'lymph:looked')) > looked + 3000, 20)
    bench.emit(other, 'still')
    eventually(lambda: handled == ['still'], 20)
