"""Files removed from the directory of the registry are restored automatically."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lymph.discovery._embedded import repairs
from lymph.discovery.embedded import EmbeddedServiceRegistry
from lymph.testing.contracts.registries import make_instance
from lymph.testing.waiting import eventually

PATIENCE = 20.0  # seconds

OWNER = """
    registry.register('echo', instance())
    registry.register('web', instance(), 'http')
    say('registered')
    gevent.get_hub().threadpool.apply(sys.stdin.readline)
    registry.on_stop()
    """


@pytest.fixture(autouse=True)
def _often(monkeypatch):
    monkeypatch.setattr(repairs, 'INTERVAL', 0.05)


@pytest.fixture
def reader(path):
    reader = EmbeddedServiceRegistry(path)
    yield reader
    reader.on_stop()


def files_below(folder):
    return [path for path in folder.rglob('*') if path.is_file()]


def remove_files(path):
    for file in files_below(path / 'registry'):
        file.unlink()


def remove_bells(path):
    for bell in (path / 'registry' / '.doorbells').iterdir():
        bell.unlink()


def replace_by_copies(path):
    for file in files_below(path / 'registry' / 'rpc'):
        data = file.read_bytes()
        file.unlink()
        file.write_bytes(data)


@pytest.mark.parametrize(
    'remove',
    [
        remove_files,
        lambda path: shutil.rmtree(path / 'registry' / 'rpc' / 'echo'),
        lambda path: shutil.rmtree(path / 'registry' / 'rpc'),
        lambda path: shutil.rmtree(path / 'registry'),
        lambda path: shutil.rmtree(path),
        replace_by_copies,
    ],
    ids=['files', 'service', 'namespace', 'registry', 'everything', 'replaced'],
)
def test_removed_registration_is_restored(registry, reader, path, remove):
    registry.register('echo', one := make_instance())
    registry.register('web', two := make_instance(), 'http')
    service = reader.get('echo')
    for _ in range(2):
        remove(Path(path))
        eventually(
            lambda: reader.discover() == {'echo'} and reader.discover('http') == {'web'}, PATIENCE
        )
        eventually(lambda: list(reader.get('echo')) == list(service) == [one], PATIENCE)
        assert list(reader.get('web', 'http')) == [two]
    registry.unregister('echo', one)
    registry.unregister('web', two, 'http')
    assert files_below(Path(path)) == []


def test_removed_registrations_of_another_process_are_restored(run, reader, path):
    owner = run(OWNER)
    owner.hear()
    service = reader.get('echo')
    shutil.rmtree(path)
    eventually(
        lambda: reader.discover() == {'echo'} and reader.discover('http') == {'web'}, PATIENCE
    )
    eventually(lambda: len(service) == 1, PATIENCE)
    owner.tell()
    assert owner.wait() == 0
    eventually(lambda: not len(service), PATIENCE)


@pytest.mark.parametrize('remove', [remove_bells, shutil.rmtree], ids=['bells', 'everything'])
def test_watcher_is_updated_after_its_socket_was_removed(registry, reader, path, remove):
    registry.register('echo', one := make_instance())
    service = reader.get('echo')
    bells = Path(path, 'registry', '.doorbells')
    remove(Path(path))
    eventually(lambda: bells.is_dir() and len(list(bells.iterdir())) == 1, PATIENCE)
    registry.register('echo', two := make_instance())
    eventually(lambda: set(service) == {one, two}, PATIENCE)


def test_file_that_cannot_be_restored_is_logged_once_and_restored_later(
    registry, reader, path, caplog
):
    registry.register('echo', one := make_instance())
    folder = Path(path, 'registry')
    shutil.rmtree(folder)
    folder.write_text('')

    def told():
        return [r for r in caplog.records if 'cannot be restored' in r.getMessage()]

    assert registry.connection_state()[2:] == (0, str(folder), '')
    eventually(told, PATIENCE)
    state = registry.connection_state()
    assert not state.connected
    assert state.reason.startswith(f'{folder} cannot be restored: ')
    (removed,) = registry._files.values()
    looks = []
    registry._repairs._missing = lambda: looks.append(removed.in_place) or not removed.in_place
    eventually(lambda: len(looks) >= 2, PATIENCE)
    folder.unlink()
    eventually(lambda: reader.discover() == {'echo'}, PATIENCE)
    assert list(reader.get('echo')) == [one]
    assert len(told()) == 1
    eventually(lambda: registry.connection_state().connected, PATIENCE)
    assert registry.connection_state().reconnects == 1


def test_restored_directories_are_accessible_only_to_their_owner(registry, reader, path):
    registry.register('echo', make_instance())
    shutil.rmtree(path)
    eventually(lambda: reader.discover() == {'echo'}, PATIENCE)
    for folder in (Path(path), *(p for p in Path(path).rglob('*') if p.is_dir())):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_unregistered_instance_is_not_restored(registry, reader, path):
    registry.register('echo', one := make_instance())
    registry.register('mail', make_instance())
    registry.unregister('echo', one)
    shutil.rmtree(path)
    eventually(lambda: reader.discover(), PATIENCE)
    assert reader.discover() == {'mail'}
    shutil.rmtree(path)
    registry.on_stop()
    assert registry._repairs._timer is None


def test_restarted_instance_at_the_same_endpoint_is_listed_once(run, registry):
    first = run(OWNER)
    first.hear()
    service = registry.get('echo')
    (before,) = service
    first.kill()
    second = run(OWNER)
    second.hear()
    eventually(lambda: [i.pid or i.identity for i in service] == [f'{second.pid}-0'])
    (after,) = registry.get('echo')
    assert after.endpoint == before.endpoint
    assert after.identity != before.identity
