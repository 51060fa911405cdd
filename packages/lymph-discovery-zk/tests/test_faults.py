"""Registrations and live views when servers, sessions and processes fail."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
import time

import gevent
import pytest
from gevent.subprocess import PIPE, Popen
from kazoo.client import KazooClient
from kazoo.handlers.gevent import SequentialGeventHandler

from lymph.exceptions import LookupFailure, RegistrationFailure
from lymph.testing.contracts.registries import make_instance
from lymph.testing.servers import ZookeeperEnsemble, ZookeeperServer
from lymph.testing.waiting import eventually

LONG = 30.0  # seconds for what has to happen; sessions last two

PROGRAM = """
    import os, sys
    import gevent
    if {patched}:
        from gevent import monkey
        monkey.patch_all()
    from lymph.config import Configuration
    from lymph.core.services import ServiceInstance

    def make():
        registry = Configuration({{
            'registry': {{
                'class': 'zookeeper',
                'zkclient': {{'hosts': {hosts!r}, 'timeout': 2.0}},
                'chroot': {chroot!r},
            }},
        }}).create_instance('registry', group='lymph.discovery')
        registry.on_start()
        return registry

    def instance():
        return ServiceInstance(str(os.getpid()), 'tcp://127.0.0.1:1')

    def say(*words):
        print(*words, flush=True)

    registry = make()
    registry.register('echo', instance())
    """


@pytest.fixture
def run(zookeeper_server, chroot):
    """Starts a process that registers itself as `echo` and then runs code."""
    processes = []

    def run(code, patched=False):
        head = PROGRAM.format(hosts=zookeeper_server.hosts, chroot=chroot, patched=patched)
        program = textwrap.dedent(head) + textwrap.dedent(code)
        processes.append(Popen([sys.executable, '-c', program], stdin=PIPE, stdout=PIPE))
        return processes[-1]

    yield run
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@pytest.fixture
def server(tmp_path):
    """A server of its own for a test that stops it."""
    with ZookeeperServer(tmp_path / 'zookeeper') as server:
        yield server


def changes_of(service):
    changes = []
    service.observe(lambda change, instance: changes.append((change, instance.key)))
    return changes


def expire(registry):
    """End the session of a registry, as a server does after missed heartbeats."""
    hosts, client_id = registry._session.client.hosts, registry._session.client.client_id
    thief = KazooClient(
        ','.join(f'{host}:{port}' for host, port in hosts),
        client_id=client_id,
        handler=SequentialGeventHandler(),
    )
    thief.start()
    thief.stop()
    thief.close()


def blocking(func, *args):
    """Run a blocking function in a thread, so that the registries continue."""
    return gevent.get_hub().threadpool.apply(func, args)


def test_restarted_server_changes_nothing_for_a_live_view(server, start):
    owner, reader = start(hosts=server.hosts), start(hosts=server.hosts)
    owner.register('echo', one := make_instance())
    service = reader.get('echo')
    changes = changes_of(service)
    state = reader.connection_state()
    assert (state.connected, state.reconnects, state.server) == (True, 0, server.address)
    server.kill()
    eventually(lambda: not reader.connection_state().connected, LONG)
    state = reader.connection_state()
    assert (state.server, state.reason) == (server.address, 'the connection was lost')
    assert list(reader.get('echo')) == [one]
    blocking(server.start)
    eventually(lambda: reader.connection_state().connected, LONG)
    state = reader.connection_state()
    assert (state.reconnects, state.reason) == (1, '')
    third = start(hosts=server.hosts)
    third.register('echo', two := make_instance())
    eventually(lambda: set(service) == {one, two}, LONG)
    assert changes == [('added', two.key)]
    owner.unregister('echo', one)
    eventually(lambda: set(service) == {two}, LONG)


def test_server_that_lost_its_data_gets_all_registrations_again_and_no_view_is_emptied(
    server, start, tmp_path
):
    owner, reader = start(hosts=server.hosts), start(hosts=server.hosts)
    owner.register('echo', one := make_instance())
    service = reader.get('echo')
    changes = changes_of(service)
    server.kill()
    for file in (tmp_path / 'zookeeper' / 'data' / 'version-2').iterdir():
        file.unlink()
    blocking(server.start)
    looker = start(hosts=server.hosts)
    eventually(lambda: 'echo' in looker.discover(), LONG)
    assert list(looker.get('echo')) == [one]
    owner.register('echo', two := make_instance())
    eventually(lambda: set(service) == {one, two}, LONG)
    assert changes == [('added', two.key)]


def test_instances_that_ended_during_an_outage_leave_the_view_after_a_session(server, start):
    owner, leaver, reader = (start(hosts=server.hosts) for _ in range(3))
    owner.register('echo', one := make_instance())
    leaver.register('echo', two := make_instance())
    service = reader.get('echo')
    server.kill()
    eventually(lambda: not reader._session.connected and not leaver._session.connected, LONG)
    lost = time.monotonic()
    leaver.on_stop()
    # longer than a session, so that the reader cannot know who is to come back
    eventually(lambda: time.monotonic() > lost + reader._session.lifetime, LONG)
    assert set(service) == {one, two}
    blocking(server.start)
    eventually(lambda: set(service) == {one}, LONG)


def test_server_frozen_for_longer_than_a_session_changes_nothing(server, start):
    owner, reader = start(hosts=server.hosts), start(hosts=server.hosts)
    owner.register('echo', one := make_instance())
    service = reader.get('echo')
    changes = changes_of(service)
    server.pause()
    eventually(lambda: not reader.connection_state().connected, LONG)
    eventually(lambda: not owner.connection_state().connected, LONG)
    assert list(reader.get('echo')) == [one]
    server.resume()
    eventually(lambda: reader.connection_state().connected, LONG)
    assert reader.connection_state().reconnects == 1
    owner.register('echo', two := make_instance())
    eventually(lambda: set(service) == {one, two}, LONG)
    assert changes == [('added', two.key)]


def test_during_an_outage_new_lookups_and_registrations_fail_in_time_and_known_services_stay(
    server, start
):
    owner, reader = (start(hosts=server.hosts, connect_timeout=1.0) for _ in range(2))
    owner.register('echo', one := make_instance())
    owner.register('gone', two := make_instance())
    service = reader.get('echo')
    gone = reader.get('gone')
    server.kill()
    eventually(lambda: not reader._session.connected and not owner._session.connected, LONG)
    with pytest.raises(LookupFailure, match="cannot look up 'other': no connection to ZooKeeper"):
        reader.get('other')
    with pytest.raises(LookupFailure, match='cannot discover rpc: no connection to ZooKeeper'):
        reader.discover()
    with pytest.raises(RegistrationFailure, match="cannot register 'new' in ZooKeeper at 127"):
        owner.register('new', one)
    owner.unregister('gone', two)
    assert list(service) == [one]
    blocking(server.start)
    eventually(lambda: not len(gone), LONG)
    assert list(service) == [one]
    assert reader.discover() == {'echo'}


def test_expired_session_is_replaced_with_its_registrations_and_watches(
    zookeeper_server, start, client
):
    owner, reader = start(), start()
    owner.register('echo', one := make_instance())
    service = reader.get('echo')
    for registry in (owner, reader):
        before = registry._session.id
        expire(registry)
        eventually(lambda r=registry, b=before: r._session.connected and r._session.id != b, LONG)
    eventually(lambda: list(service) == [one] and reader.discover() == {'echo'}, LONG)
    owner.register('echo', two := make_instance())
    eventually(lambda: set(service) == {one, two}, LONG)
    owner.unregister('echo', one)
    eventually(lambda: list(service) == [two], LONG)


def test_killed_owner_is_removed_after_its_session(run, start):
    owner = run('say("registered"); sys.stdin.read()')
    assert owner.stdout.readline() == b'registered\n'
    service = start().get('echo')
    owner.kill()
    eventually(lambda: not len(service), LONG)


def test_process_stopped_for_longer_than_a_session_is_registered_again(run, start):
    owner = run('say("registered"); gevent.sleep(60)')
    assert owner.stdout.readline() == b'registered\n'
    service = start().get('echo')
    owner.send_signal(signal.SIGSTOP)
    eventually(lambda: not len(service), LONG)
    owner.send_signal(signal.SIGCONT)
    eventually(lambda: len(service) == 1, LONG)


def test_loop_blocked_for_longer_than_a_session_is_registered_again(run, start):
    owner = run("""
        import time
        say('registered')
        sys.stdin.readline()
        time.sleep(4)
        say('goes on')
        gevent.sleep(60)
        """)
    assert owner.stdout.readline() == b'registered\n'
    service = start().get('echo')
    owner.stdin.write(b'\n')
    owner.stdin.flush()
    eventually(lambda: not len(service), LONG)
    assert owner.stdout.readline() == b'goes on\n'
    eventually(lambda: len(service) == 1, LONG)


def test_it_works_with_the_standard_library_patched(run, start):
    owner = run('say(len(registry.get("echo"))); sys.stdin.readline()', patched=True)
    assert owner.stdout.readline() == b'1\n'
    service = start().get('echo')
    assert [instance.key for instance in service] == [str(owner.pid)]
    owner.stdin.write(b'\n')
    owner.stdin.flush()
    assert owner.wait(timeout=LONG) == 0


def test_forked_child_is_rejected_and_leaves_the_session_to_its_parent(run, start, client):
    owner = run("""
        child = gevent.os.fork()
        if not child:
            def refused(act, *args):
                try:
                    act(*args)
                except Exception as error:
                    return 'fork' in str(error) and type(error).__name__
            gevent.sleep(3)  # longer than a session: time to disturb the parent's
            say(
                refused(registry.register, 'more', instance()),
                refused(registry.discover),
                refused(registry.get, 'more'),
            )
            registry.unregister('echo', instance())
            registry.on_stop()
            again = make()
            again.register('child', instance())
            say(len(again.get('echo')))
            os._exit(0)
        say(os.waitpid(child, gevent.os.WNOHANG)[0])
        gevent.sleep(60)
        """)
    assert owner.stdout.readline() == b'0\n'
    service = start().get('echo')
    changes = changes_of(service)
    assert owner.stdout.readline() == b'RegistrationFailure LookupFailure LookupFailure\n'
    assert owner.stdout.readline() == b'1\n'
    assert changes == []
    assert len(service) == 1


def test_stopping_does_not_wait_for_an_unreachable_server(server, start):
    registry, frozen = start(hosts=server.hosts), start(hosts=server.hosts)
    for one in (registry, frozen):
        one.register('echo', make_instance())
    server.pause()
    with gevent.Timeout(LONG):
        frozen.on_stop()
    server.kill()
    with gevent.Timeout(LONG):
        registry.on_stop()


def test_the_leader_of_three_is_killed(start, tmp_path):
    with ZookeeperEnsemble(folder=tmp_path / 'ensemble') as ensemble:
        owner, reader = start(hosts=ensemble.hosts), start(hosts=ensemble.hosts)
        owner.register('echo', one := make_instance())
        service = reader.get('echo')
        changes = changes_of(service)
        leader = blocking(lambda: ensemble.leader)
        leader.kill()

        def registered():
            try:
                owner.register('echo', two)
            except RegistrationFailure:
                return False
            return True

        two = make_instance()
        eventually(registered, LONG)
        eventually(lambda: set(service) == {one, two}, LONG)
        assert changes == [('added', two.key)]
        assert os.path.exists(leader.folder)
