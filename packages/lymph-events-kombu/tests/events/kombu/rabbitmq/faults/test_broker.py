"""Emitted events are handled when the broker fails, and emitters get errors in time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gevent
import pytest

from lymph.core.events import Event
from lymph.events.kombu import KombuEventSystem
from lymph.exceptions import EmitFailure
from lymph.testing.faults.proxy import FaultProxy
from lymph.testing.waiting import eventually

PATIENCE = 60.0
EMITTERS, PREFETCH = 8, 16
#: what may come again after all connections were lost once: events whose confirm was not read yet,
#: and those that were with the consumer; twice, since a broker that comes up may cut them again
UNDER_WAY = 2 * (EMITTERS + PREFETCH)


def test_killed_and_restarted_broker_loses_nothing(bench: Any, make_load: Any) -> None:
    load = make_load(bench.start(confirm_timeout=60), emitters=EMITTERS)
    bench.subscribe(bench.start(prefetch=PREFETCH), load.handle)
    with load.running():
        bench.kill_server()
    assert load.failed == set()
    assert load.repeated() <= UNDER_WAY


def test_stopped_and_restarted_broker_loses_nothing(
    bench: Any, make_load: Any, in_thread: Callable[..., Any]
) -> None:
    emitter, consumer = bench.start(confirm_timeout=60), bench.start(prefetch=PREFETCH)
    load = make_load(emitter, emitters=EMITTERS)
    bench.subscribe(consumer, load.handle)
    before = time.time()
    with load.running():
        in_thread(bench.server.stop)
        eventually(lambda: not emitter.connection_state().connected)
        eventually(lambda: not consumer.connection_state().connected)
        down = consumer.connection_state()
        assert before <= down.since <= time.time()
        assert bench.server.address in down.reason
        in_thread(bench.server.start)
        eventually(lambda: emitter.connection_state().connected, PATIENCE)
        eventually(lambda: consumer.connection_state().connected, PATIENCE)
        up = consumer.connection_state()
        assert up.since >= down.since
        assert (up.reconnects >= 1, up.reason) == (True, '')
    assert load.failed == set()
    assert load.repeated() <= UNDER_WAY


def test_state_has_both_connections_and_no_password(bench: Any, proxy: FaultProxy) -> None:
    system = bench.make(urls=f'amqp://guest:guest@{proxy.address}//')
    assert system.connection_state()[:1] == (False,)
    bench.systems.append(system)
    system.on_start()
    bench.subscribe(system, lambda event: None)
    state = system.connection_state()
    assert (state.connected, state.reconnects, state.reason) == (True, 0, '')
    assert state.server == f'amqp://guest@{proxy.address}//'
    proxy.refuse()
    proxy.cut()
    eventually(lambda: 'emitting events: ' in system.connection_state().reason, PATIENCE)
    eventually(lambda: 'consuming events: ' in system.connection_state().reason, PATIENCE)
    state = system.connection_state()
    assert (state.connected, state.server) == (False, f'amqp://guest@{proxy.address}//')
    assert 'guest:guest' not in state.reason
    proxy.heal()
    eventually(lambda: system.connection_state().connected, PATIENCE)
    assert system.connection_state().reconnects == 1
    bench.stop(system)
    assert not system.connection_state().connected


def test_delayed_events_survive_a_restart_of_the_broker(bench: Any, make_load: Any) -> None:
    load = make_load(bench.start(confirm_timeout=60), delay=0.5)
    bench.subscribe(bench.start(), load.handle)
    with load.running():
        bench.kill_server()


def test_retried_events_survive_a_restart_of_the_broker(bench: Any, make_load: Any) -> None:
    load = make_load(bench.start(confirm_timeout=60), failures=2)
    bench.subscribe(bench.start(), load.handle, retry=20)
    with load.running():
        bench.kill_server()


def test_emit_fails_during_an_outage_of_the_broker_and_works_again_afterwards(
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


def test_number_of_waiting_events_of_an_emitter_is_limited(bench: Any, proxy: FaultProxy) -> None:
    system = bench.start(urls=f'amqp://{proxy.address}//', confirm_timeout=60)
    proxy.refuse()
    proxy.cut()
    eventually(lambda: system._emitting.connection is None)
    big = Event(bench.topic, {'blob': bytes(12 << 20)})
    emitters = [gevent.spawn(_outcome, system.emit, big) for _ in range(6)]
    eventually(lambda: any(each.ready() for each in emitters))
    (refused,) = [each for each in emitters if each.ready()]
    assert '5 events with 629' in str(refused.value)
    assert 'bytes are waiting already' in str(refused.value)
    gevent.killall(emitters)


def test_abandoned_events_take_no_space(bench: Any, proxy: FaultProxy) -> None:
    system = bench.start(urls=f'amqp://{proxy.address}//', confirm_timeout=0.02)
    proxy.refuse()
    proxy.cut()
    big = Event(bench.topic, {'blob': bytes(12 << 20)})
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
