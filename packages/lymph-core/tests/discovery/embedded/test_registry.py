from __future__ import annotations

import fcntl
import gc
import os

import gevent
import pytest

from lymph.config import Configuration, ConfigurationError
from lymph.core.services import ServiceInstance
from lymph.discovery.embedded import EmbeddedServiceRegistry
from lymph.exceptions import RegistrationFailure
from lymph.testing.contracts.registries import RegistryContract, make_instance
from lymph.testing.waiting import eventually


class TestEmbeddedRegistry(RegistryContract):
    @pytest.fixture(autouse=True)
    def _state(self, tmp_path):
        self.path = str(tmp_path / 'state')

    def make_registry(self):
        return EmbeddedServiceRegistry(self.path)


def test_a_thousand_instances_are_found_and_followed(registry, path, monkeypatch):
    instances = {n: make_instance() for n in range(1000)}
    for instance in instances.values():
        registry.register('echo', instance)
    reader = EmbeddedServiceRegistry(path)
    service = reader.get('echo')
    assert len(service) == 1000
    parsed = []
    monkeypatch.setattr(
        ServiceInstance,
        'deserialize',
        lambda facts, connector: parsed.append(facts) or ServiceInstance(facts['identity'], 'x://'),
    )
    registry.register('echo', make_instance(identity='new'))
    registry.unregister('echo', instances[0])
    eventually(lambda: len(service) == 1000 and parsed, 10)
    assert [facts['identity'] for facts in parsed] == ['new']
    reader.on_stop()


def test_directory_of_a_service_is_removed_with_its_last_instance(registry, tmp_path):
    folder = tmp_path / 'state' / 'registry' / 'rpc'
    registry.register('echo', one := make_instance())
    assert os.listdir(folder) == ['echo']
    registry.unregister('echo', one)
    assert os.listdir(folder) == []


def test_stopped_registry_leaves_no_files(path, tmp_path):
    registry = EmbeddedServiceRegistry(path)
    registry.register('echo', make_instance())
    registry.get('echo')
    registry.on_stop()
    assert [p for p in (tmp_path / 'state' / 'registry').rglob('*') if not p.is_dir()] == []


def test_stopped_registry_leaves_no_greenlet_and_no_open_file(path):
    def left():
        gc.collect()
        greenlets = [g for g in gc.get_objects() if isinstance(g, gevent.Greenlet) and not g.dead]
        return len(greenlets), len(os.listdir('/proc/self/fd'))

    gevent.get_hub().threadpool.apply(int)
    before = left()
    registry = EmbeddedServiceRegistry(path)
    registry.register('echo', make_instance())
    registry.get('echo')
    registry.discover()
    assert left() != before
    registry.on_stop()
    eventually(lambda: left() == before, 10, lambda: f'{left()} to be {before}')


def test_watcher_recreates_its_removed_socket(registry, path, tmp_path):
    reader = EmbeddedServiceRegistry(path)
    registry.register('echo', one := make_instance())
    service = reader.get('echo')
    for bell in (tmp_path / 'state' / 'registry' / '.doorbells').iterdir():
        bell.unlink()
    reader.refresh(service, 'rpc')
    registry.register('echo', two := make_instance())
    eventually(lambda: set(service) == {one, two})
    reader.on_stop()


def test_full_disk_is_a_registration_failure_and_leaves_no_file(run):
    process = run("""
        import resource
        from lymph.exceptions import RegistrationFailure
        registry.register('echo', instance())
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))
        try:
            registry.register('mail', instance())
        except RegistrationFailure as error:
            say(error)
        say(list((registry.directory / 'rpc' / 'mail').iterdir()))
        say(sorted(registry.discover()))
        """)
    assert process.hear().startswith("cannot register 'mail' in ")
    assert process.hear() == '[]'
    assert process.hear() == "['echo']"


def test_name_too_long_for_a_file_is_a_registration_failure(registry):
    with pytest.raises(RegistrationFailure, match='File name too long'):
        registry.register('\u4e16' * 80, make_instance())
    with pytest.raises(RegistrationFailure, match='File name too long'):
        registry.register('x', make_instance(identity='x' * 250))


def test_file_system_without_locks_is_a_registration_failure(registry, monkeypatch):
    monkeypatch.setattr(fcntl, 'flock', lambda descriptor, operation: None)
    with pytest.raises(RegistrationFailure, match='does not keep locks'):
        registry.register('echo', make_instance())


def test_path_is_read_from_the_configuration(tmp_path):
    config = Configuration(
        {
            'default': {'class': 'embedded'},
            'here': {'class': 'embedded', 'path': str(tmp_path / 'here')},
            'wrong': {'class': 'embedded', 'pfad': 'x'},
            'bad': {'class': 'embedded', 'path': '/proc/none'},
        }
    )
    registry = config.create_instance('here', group='lymph.discovery')
    assert registry.directory == tmp_path / 'here' / 'registry'
    with pytest.raises(ConfigurationError, match=r'wrong\.pfad: unknown option'):
        config.create_instance('wrong', group='lymph.discovery')
    with pytest.raises(ConfigurationError, match=r'bad\.path: cannot keep state in /proc/none'):
        config.create_instance('bad', group='lymph.discovery')
