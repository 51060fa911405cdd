"""Effects of the end of a process, by any cause, on its registrations."""

from __future__ import annotations

import os
import signal

import pytest
from gevent.event import Event

from lymph.core.services import ServiceInstance
from lymph.discovery.embedded import EmbeddedServiceRegistry
from lymph.exceptions import LookupFailure
from lymph.testing.waiting import eventually

OWNER = """
    registry.register('echo', instance())
    registry.register('other', instance())
    say('registered')
    sys.stdin.readline()
    """


def files_in(path):
    return [
        os.path.join(folder, name)
        for folder, _, names in os.walk(os.path.join(path, 'registry', 'rpc'))
        for name in names
    ]


def test_instances_of_a_killed_process_leave_every_live_view_at_once(run, registry):
    owner = run(OWNER)
    owner.hear()
    services = [registry.get('echo'), registry.get('other')]
    gone = Event()
    for service in services:
        service.observe(lambda change, instance: gone.set())
    owner.kill()
    assert gone.wait(10)
    eventually(lambda: not any(len(service) for service in services), 10)
    assert registry.discover() == set()


def test_registry_holds_one_descriptor_per_known_process(run, registry):
    def descriptors():
        return len(os.listdir('/proc/self/fd'))

    first, second = run(OWNER), run(OWNER)
    first.hear(), second.hear()
    registry.get('echo')
    registry.forget('echo')
    before = descriptors()
    service, other = registry.get('echo'), registry.get('other')
    assert descriptors() == before + 2
    first.kill()
    eventually(lambda: len(service) == len(other) == 1, 10)
    assert descriptors() == before + 1
    registry.forget('other')
    assert descriptors() == before + 1
    registry.forget('echo')
    assert descriptors() == before


def test_suspended_process_stays_registered(run, registry):
    owner = run(OWNER)
    owner.hear()
    service = registry.get('echo')
    (instance,) = service
    owner.signal(signal.SIGSTOP)
    registry.suspect(instance)
    registry.refresh(service, 'rpc')
    registry.register('echo', mine := ServiceInstance('mine', 'tcp://127.0.0.1:1'))
    eventually(lambda: set(service) == {instance, mine})
    assert registry.discover() == {'echo', 'other'}
    owner.signal(signal.SIGCONT)
    owner.tell()
    assert owner.wait() == 0
    eventually(lambda: list(service) == [mine], 10)


@pytest.mark.parametrize('notice', ['suspect', 'endpoint', 'refresh', 'get', 'ring', 'discover'])
def test_without_pidfd_a_dead_process_is_noticed_at_the_next_check(run, path, monkeypatch, notice):
    monkeypatch.delattr(os, 'pidfd_open')
    registry = EmbeddedServiceRegistry(path)
    owner = run(OWNER)
    owner.hear()
    service = registry.get('echo')
    (instance,) = service
    owner.kill()
    assert list(service) == [instance]
    match notice:
        case 'suspect':
            registry.suspect(instance)
        case 'endpoint':
            registry.suspect_endpoint(instance.endpoint)
        case 'refresh':
            registry.refresh(service, 'rpc')
            assert not len(service)
        case 'get':
            with pytest.raises(LookupFailure):
                EmbeddedServiceRegistry(path).get('echo')
            registry.suspect(instance)
        case 'ring':
            registry.register('unrelated', instance)
        case 'discover':
            assert registry.discover() == set()
            assert not files_in(path)
            registry.suspect(instance)
    eventually(lambda: not len(service), 10)
    registry.on_stop()


def test_process_that_dies_while_its_instance_is_read_is_left_out(run, registry, monkeypatch):
    owner = run(OWNER)
    owner.hear()
    owners = registry._watcher._owners
    watch = owners.watch

    def die_and_watch(pid):
        owner.kill()
        return watch(pid)

    monkeypatch.setattr(owners, 'watch', die_and_watch)
    with pytest.raises(LookupFailure):
        registry.get('echo')


def test_process_killed_during_a_registration_leaves_no_instance(run, registry, path):
    code = """
        say('ready')
        for n in range(100_000):
            registry.register(f'service{n % 7}', instance(n % 50))
        """
    registry.register('service0', mine := ServiceInstance('mine', 'tcp://127.0.0.1:1'))
    service = registry.get('service0')
    for _ in range(5):
        owners = [run(code) for _ in range(3)]
        for owner in owners:
            owner.hear()
        eventually(lambda: len(service) > 4, 30)
        for owner in owners:
            owner.kill()
        eventually(lambda: list(service) == [mine], 30)
        assert registry.discover() == {'service0'}
    for number in range(1, 7):
        with pytest.raises(LookupFailure):
            registry.get(f'service{number}')
    registry.refresh(service, 'rpc')
    assert len(files_in(path)) == 1


def test_process_killed_before_the_rename_leaves_nothing_behind(run, registry, path):
    owner = run("""
        os.rename = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
        registry.register('echo', instance())
        """)
    assert owner.wait() == -signal.SIGKILL
    assert len(files_in(path)) == 1
    with pytest.raises(LookupFailure):
        registry.get('echo')
    assert files_in(path) == []


def test_child_of_a_killed_process_does_not_keep_it_registered(run, registry):
    owner = run("""
        import subprocess
        registry.register('echo', instance())
        sleeping = subprocess.Popen(['sleep', '60'])
        forked = gevent.os.fork()
        if not forked:
            gevent.sleep(60)
            os._exit(0)
        say(sleeping.pid, forked)
        sys.stdin.readline()
        """)
    children = [int(pid) for pid in owner.hear().split()]
    try:
        service = registry.get('echo')
        owner.kill()
        eventually(lambda: not len(service), 10)
        for pid in children:
            os.kill(pid, 0)  # they live
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)


def test_forked_child_cannot_use_the_registry_and_its_parent_stays_registered(run, registry):
    owner = run("""
        registry.register('echo', instance())
        service = registry.get('echo')
        child = gevent.os.fork()
        if not child:
            def name_of(act, *args):
                try:
                    act(*args)
                except Exception as error:
                    assert 'fork' in str(error), error
                    return type(error).__name__
            say(
                name_of(registry.register, 'more', instance()),
                name_of(registry.discover),
                name_of(registry.get, 'more'),
                name_of(registry.refresh, service, 'rpc'),
            )
            registry.unregister('echo', instance())
            registry.on_stop()
            again = EmbeddedServiceRegistry(path)
            again.register('child', instance())
            say(len(again.get('echo')))
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        say('waiting')
        sys.stdin.readline()
        registry.on_stop()
        """)
    assert owner.hear() == 'RegistrationFailure LookupFailure LookupFailure LookupFailure'
    assert owner.hear() == '1'
    assert owner.hear() == 'waiting'
    service = registry.get('echo')
    assert len(service) == 1
    assert registry.discover() == {'echo'}
    owner.tell()
    assert owner.wait() == 0
    eventually(lambda: not len(service), 10)


def test_concurrent_registrations_of_many_processes_leave_exactly_the_live_instances(run, registry):
    registry.register('echo', mine := ServiceInstance('mine', 'tcp://127.0.0.1:1'))
    service = registry.get('echo')
    owners = [
        run("""
            for n in range(100):
                registry.register('echo', instance(n))
                if n != 50:
                    registry.unregister('echo', instance(n))
            say(os.getpid())
            sys.stdin.readline()
            registry.on_stop()
            """)
        for _ in range(6)
    ]
    staying = {f'{owner.hear()}-50' for owner in owners} | {'mine'}
    eventually(lambda: {instance.key for instance in service} == staying, 30)
    for owner in owners:
        owner.tell()
        assert owner.wait() == 0
    eventually(lambda: list(service) == [mine], 10)
