"""Under calls, one process is cut off from ZooKeeper alone, or the servers lose their leader."""

from __future__ import annotations

import gevent

from lymph.testing.faults.proxy import FaultProxy
from lymph.testing.servers import ZookeeperEnsemble
from lymph.testing.waiting import eventually

LONG = 60.0  # seconds for what has to happen


def cut_off(proxy):
    """Drop all data and refuse new connections, as a firewall does."""
    proxy.blackhole()
    proxy.refuse()


def test_caller_cut_off_from_zookeeper_keeps_calling_and_catches_up(scene, zookeeper_server):
    with FaultProxy('127.0.0.1', zookeeper_server.port) as proxy:
        leaver, stayer = scene.start('work', 'work')
        (caller,) = scene.start('caller', hosts=proxy.address)
        scene.go_on(caller)
        cut_off(proxy)
        eventually(lambda: scene.registered('caller') == set(), LONG)
        (newcomer,) = scene.start('work')
        leaver.drain()
        scene.go_on(caller)
        assert scene.ask(caller, 'known') == {leaver.pid, stayer.pid}
        proxy.heal()
        scene.expect(caller, stayer, newcomer)
        assert scene.failures(caller) == []


def test_instance_cut_off_from_zookeeper_is_removed_and_registered_again(scene, zookeeper_server):
    with FaultProxy('127.0.0.1', zookeeper_server.port) as proxy:
        (victim,) = scene.start('work', hosts=proxy.address)
        other, caller = scene.start('work', 'caller')
        scene.go_on(caller)
        cut_off(proxy)
        eventually(lambda: scene.registered('work') == {other.pid}, LONG)
        eventually(lambda: scene.ask(caller, 'known') == {other.pid}, LONG)
        proxy.heal()
        scene.expect(caller, victim, other)
        assert scene.failures(caller) == []


def test_the_leader_of_three_is_killed_and_no_call_fails(make_scene, tmp_path):
    ensemble = ZookeeperEnsemble(folder=tmp_path / 'ensemble')
    threads = gevent.get_hub().threadpool
    try:
        threads.apply(ensemble.start)
        scene = make_scene(ensemble.hosts)
        *work, caller = scene.start('work', 'work', 'caller')
        scene.go_on(caller)
        leader = ensemble.leader
        leader.kill()
        eventually(lambda: threads.apply(lambda: ensemble.leader), LONG)
        scene.expect(caller, *work)
        work += scene.start('work')
        scene.expect(caller, *work)
        threads.apply(leader.start)
        scene.expect(caller, *work)
        assert scene.failures(caller) == []
    finally:
        ensemble.close()
