"""What is emitted is handled, whatever becomes of the broker and the way there."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import pytest

from lymph.core.events import Event
from lymph.events.kombu import KombuEventSystem
from lymph.exceptions import EmitFailure
from lymph.testing.faults.proxy import FaultProxy
from lymph.testing.waiting import eventually

PATIENCE = 60.0


class Load:
    """Emits numbered events from several greenlets, and counts what is handled."""

    def __init__(self, bench: Any, emitter: KombuEventSystem, **options: Any) -> None:
        self.bench = bench
        self.emitter = emitter
        self.options = options
        self.emitted: set[int] = set()
        self.failed: set[int] = set()
        self.handled: Counter[int] = Counter()
        self.going_on = True
        self._numbers = iter(range(1_000_000))

    def handle(self, event: Event) -> None:
        self.handled[event.body['n']] += 1

    def lost(self) -> set[int]:
        """Events whose emit returned and that were never handled."""
        return self.emitted - set(self.handled)

    @contextmanager
    def running(self, emitters: int = 8) -> Iterator[None]:
        """Emit while the block runs, then end and wait for what was emitted to be handled."""
        greenlets = [gevent.spawn(self._emit) for _ in range(emitters)]
        self.makes_progress()
        yield
        self.makes_progress()
        self.going_on = False
        gevent.joinall(greenlets, raise_error=True)
        eventually(lambda: not self.lost(), PATIENCE, lambda: f'lost: {sorted(self.lost())}')

    def makes_progress(self) -> None:
        """Wait until more events are emitted, and handled."""
        emitted, handled = len(self.emitted), len(self.handled)
        eventually(lambda: len(self.emitted) > emitted + 20, PATIENCE)
        eventually(lambda: len(self.handled) > handled + 20, PATIENCE)

    def _emit(self) -> None:
        while self.going_on:
            n = next(self._numbers)
            try:
                self.bench.emit(self.emitter, n, **self.options)
            except EmitFailure:
                self.failed.add(n)
            else:
                self.emitted.add(n)
            gevent.sleep(0.002)


def test_a_broker_that_is_killed_and_restarted_loses_nothing(bench: Any) -> None:
    load = Load(bench, bench.start(confirm_timeout=60))
    bench.subscribe(bench.start(), load.handle)
    with load.running():
        bench.kill_server()
    assert load.failed == set()


def test_a_broker_that_is_stopped_and_restarted_loses_nothing(
    bench: Any, in_thread: Callable[..., Any]
) -> None:
    load = Load(bench, bench.start(confirm_timeout=60))
    bench.subscribe(bench.start(), load.handle)
    with load.running():
        in_thread(bench.server.stop)
        in_thread(bench.server.start)
    assert load.failed == set()


def test_delayed_events_outlive_the_broker(bench: Any) -> None:
    load = Load(bench, bench.start(confirm_timeout=60), delay=0.5)
    bench.subscribe(bench.start(), load.handle)
    with load.running():
        bench.kill_server()


def test_retried_events_outlive_the_broker(bench: Any) -> None:
    failures: Counter[int] = Counter()

    def fail_twice(event: Event) -> None:
        n = event.body['n']
        failures[n] += 1
        if failures[n] <= 2:
            raise RuntimeError('not yet')
        load.handle(event)

    load = Load(bench, bench.start(confirm_timeout=60))
    bench.subscribe(bench.start(), fail_twice, retry=20)
    with load.running(emitters=2):
        bench.kill_server()


@pytest.mark.parametrize('side', ['emitter', 'consumer'])
@pytest.mark.parametrize('options', [{}, {'delay': 0.2}], ids=['at-once', 'delayed'])
def test_cut_connections_lose_nothing(
    bench: Any, proxy: FaultProxy, side: str, options: dict[str, Any]
) -> None:
    through = {'urls': f'amqp://{proxy.address}//'}
    emitter = bench.start(**(through if side == 'emitter' else {}))
    consumer = bench.start(**(through if side == 'consumer' else {}))
    load = Load(bench, emitter, **options)
    bench.subscribe(consumer, load.handle)
    with load.running():
        for _ in range(3):
            proxy.cut()
            load.makes_progress()
    assert load.failed == set()


@pytest.mark.parametrize('side', ['emitter', 'consumer'])
@pytest.mark.parametrize('direction', ['to_server', 'to_client', 'both'])
def test_a_black_hole_loses_nothing(
    bench: Any, proxy: FaultProxy, side: str, direction: Any
) -> None:
    through = {'urls': f'amqp://{proxy.address}//', 'connect_timeout': 2}
    emitter = bench.start(confirm_timeout=60, **(through if side == 'emitter' else {}))
    consumer = bench.start(**(through if side == 'consumer' else {}))
    load = Load(bench, emitter)
    bench.subscribe(consumer, load.handle)
    with load.running():
        before = proxy.accepted
        proxy.blackhole(direction)
        # the heartbeats give it up, and it is tried anew
        eventually(lambda: proxy.accepted > before, PATIENCE)
        proxy.heal()
    assert load.failed == set()


def test_a_slow_way_loses_nothing(bench: Any, proxy: FaultProxy) -> None:
    through = {'urls': f'amqp://{proxy.address}//'}
    load = Load(bench, bench.start(**through))
    bench.subscribe(bench.start(**through), load.handle)
    with load.running(emitters=2):
        proxy.slow(20_000)
        load.makes_progress()
        proxy.heal()
    assert load.failed == set()


def test_while_the_broker_is_away_emit_says_so_and_works_again_afterwards(
    bench: Any, proxy: FaultProxy
) -> None:
    url = f'amqp://guest:guest@{proxy.address}//'
    system = bench.start(urls=url, confirm_timeout=0.5)
    proxy.refuse()
    proxy.cut()
    with pytest.raises(EmitFailure) as failure:
        bench.emit(system, 1)
    text = str(failure.value)
    assert bench.topic in text
    assert f'amqp://guest@{proxy.address}//' in text
    assert 'not confirmed within 0.5 s' in text
    assert 'no connection' in text
    proxy.heal()
    eventually(lambda: _emits(bench, system), PATIENCE)


def test_a_black_hole_in_front_of_the_broker_is_an_error_in_time(
    bench: Any, proxy: FaultProxy
) -> None:
    system = bench.start(urls=f'amqp://{proxy.address}//', confirm_timeout=0.5, heartbeat=10)
    proxy.blackhole('to_server')
    with pytest.raises(EmitFailure, match=r'sent once, the broker does not answer'):
        bench.emit(system, 1)


_EMITTER = """
import itertools, sys
from lymph.config import Configuration
from lymph.core.events import Event
from lymph.events.kombu import KombuEventSystem

url, topic, delay = sys.argv[1:]
config = Configuration({'events': {'urls': url}})
system = KombuEventSystem.from_config(config.view('events'))
system.on_start()
for n in itertools.count():
    system.emit(Event(topic, {'n': n}), float(delay))
    print(n, flush=True)
"""


@pytest.mark.parametrize('delay', ['0', '0.2'])
def test_what_an_emitter_says_before_it_is_killed_is_true(bench: Any, delay: str) -> None:
    system, handled = bench.start(), set()
    bench.subscribe(system, lambda event: handled.add(event.body['n']))
    command = [sys.executable, '-c', _EMITTER, bench.server.url, bench.topic, delay]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == '50\n':
                break
        process.kill()
        said = {*range(51), *map(int, process.stdout.read().split())}
    eventually(lambda: said <= handled, PATIENCE)


def test_the_next_address_is_tried_when_one_fails(bench: Any, proxy: FaultProxy) -> None:
    urls = [f'amqp://{proxy.address}//', bench.server.url]
    system = bench.start(urls=urls)
    handled: list[Any] = []
    bench.subscribe(system, lambda event: handled.append(event.body['n']))
    assert proxy.connections == 2
    proxy.refuse()
    proxy.cut()
    bench.emit(system, 1)
    eventually(lambda: handled == [1], PATIENCE)
    assert proxy.connections == 0


def test_an_alarm_of_the_broker_makes_emitters_wait_and_then_fail(
    bench: Any, in_thread: Callable[..., Any]
) -> None:
    patient, hasty = bench.start(confirm_timeout=60), bench.start(confirm_timeout=0.5)
    bench.emit(patient, 0)
    bench.emit(hasty, 0)
    in_thread(bench.server.control, 'set_vm_memory_high_watermark', '0')
    try:
        # the broker tells of its alarm when somebody publishes
        with pytest.raises(EmitFailure):
            bench.emit(hasty, 1)
        with pytest.raises(EmitFailure, match=r'alarm for memory or disk space'):
            bench.emit(hasty, 2)
        waiting = gevent.spawn(bench.emit, patient, 3)
        eventually(lambda: waiting.started)
        assert not waiting.ready()
    finally:
        in_thread(bench.server.control, 'set_vm_memory_high_watermark', '0.6')
    assert waiting.get(timeout=PATIENCE)


def test_an_emitter_takes_no_more_than_it_can_hold(bench: Any, proxy: FaultProxy) -> None:
    system = bench.start(urls=f'amqp://{proxy.address}//', confirm_timeout=60)
    proxy.refuse()
    proxy.cut()
    eventually(lambda: system._emitting.connection is None)
    big = Event(bench.topic, {'blob': bytes(20 << 20)})
    emitters = [gevent.spawn(_outcome, system.emit, big) for _ in range(4)]
    eventually(lambda: any(each.ready() for each in emitters))
    (refused,) = [each for each in emitters if each.ready()]
    assert '3 events with 629' in str(refused.value)
    assert 'bytes are waiting already' in str(refused.value)
    gevent.killall(emitters)


def test_events_that_were_given_up_hold_no_place(bench: Any, proxy: FaultProxy) -> None:
    system = bench.start(urls=f'amqp://{proxy.address}//', confirm_timeout=0.02)
    proxy.refuse()
    proxy.cut()
    big = Event(bench.topic, {'blob': bytes(20 << 20)})
    for _ in range(8):
        with pytest.raises(EmitFailure, match='not confirmed within'):
            system.emit(big)


def _outcome(function: Callable[..., Any], *args: Any) -> Any:
    try:
        return function(*args)
    except EmitFailure as error:
        return error


def _emits(bench: Any, system: KombuEventSystem) -> bool:
    try:
        bench.emit(system)
    except EmitFailure:
        return False
    return True
