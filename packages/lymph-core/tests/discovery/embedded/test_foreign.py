"""Foreign files in the directories of the registry do not hide its instances."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

import pytest

from lymph.discovery._embedded.instance_files import InstanceFile
from lymph.discovery.embedded import EmbeddedServiceRegistry
from lymph.discovery.names import escape
from lymph.exceptions import LookupFailure, RegistrationFailure
from lymph.testing.contracts.registries import EntriesContract, make_instance
from lymph.testing.waiting import eventually

NAME = 'k~0123456789abcdef.json'


class TestForeignEntries(EntriesContract):
    @pytest.fixture(autouse=True)
    def _state(self, tmp_path):
        self.path = str(tmp_path / 'state')
        self.files = []
        yield
        for file in self.files:
            file.release()

    def make_registry(self):
        return EmbeddedServiceRegistry(self.path)

    def plant(self, name, key, data, namespace='rpc'):
        folder = Path(self.path, 'registry', escape(namespace), escape(name))
        self.files.append(InstanceFile(folder, key, data))


@pytest.fixture
def root(path):
    return Path(path, 'registry', 'rpc')


@pytest.fixture
def look(path):
    """Return a function that reads the instances of a service with a fresh registry."""
    readers = []

    def look(name='echo'):
        readers.append(EmbeddedServiceRegistry(path))
        return readers[-1].discover(), readers[-1].get(name)

    yield look
    for reader in readers:
        reader.on_stop()


def device(path):
    """Create a device, or a link to one for users who cannot create devices."""
    if os.geteuid() == 0:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))
    else:
        path.symlink_to('/dev/zero')


def unreadable(path):
    path.write_text('{}')
    path.chmod(0)


def swapped(path):
    """Create a link to a file that a live process has locked."""
    there = path.with_name('there')
    there.write_text('{}')
    held = os.open(there, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    path.symlink_to(there.name)
    return held


KINDS = {
    'a link to itself': lambda path: path.symlink_to(path.name),
    'a link to nowhere': lambda path: path.symlink_to('nowhere'),
    'a link to a device': lambda path: path.symlink_to('/dev/zero'),
    'a link to a directory': lambda path: path.symlink_to('/'),
    'a link to a file': swapped,
    'a directory': lambda path: path.mkdir(),
    'a pipe': lambda path: os.mkfifo(path),
    'a socket': lambda path: os.mknod(path, stat.S_IFSOCK | 0o600),
    'a device': device,
    'an unreadable file': unreadable,
    'an old file': lambda path: path.write_text('{}'),
}


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('name', [NAME, 'notes.txt', '.new-0123', b'\xff\xfe.json', 'a\x1b[2J\nb'])
def test_foreign_file_of_any_kind_does_not_hide_instances(registry, root, look, kind, name):
    registry.register('echo', one := make_instance())
    service = registry.get('echo')
    made = KINDS[kind](root / 'echo' / os.fsdecode(name))
    names, found = look()
    assert (names, list(found)) == ({'echo'}, [one])
    registry.refresh(service, 'rpc')
    registry.register('echo', two := make_instance())
    eventually(lambda: set(service) == set(found) == {one, two}, 10)
    registry.unregister('echo', one)
    eventually(lambda: list(service) == list(found) == [two], 10)
    if isinstance(made, int):
        os.close(made)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('name', ['mail', b'\xff', '%FF', 'a b', 'a\nb', '.x', 'x' * 255])
def test_foreign_entry_among_the_services_does_not_hide_instances(registry, root, look, kind, name):
    registry.register('echo', one := make_instance())
    made = KINDS[kind](root / os.fsdecode(name))
    names, found = look()
    assert (names, list(found)) == ({'echo'}, [one])
    for _ in range(2):
        assert registry.discover() == {'echo'}
    with pytest.raises(LookupFailure) as caught:
        registry.get('mail')
    assert str(caught.value).isprintable()
    if isinstance(made, int):
        os.close(made)


@pytest.mark.parametrize('kind', ['a link to itself', 'a pipe', 'an old file'])
def test_occupied_directory_of_a_service_is_a_registration_failure(registry, root, kind):
    registry.register('echo', make_instance())
    KINDS[kind](root / 'mail')
    with pytest.raises(RegistrationFailure, match=r"^cannot register 'mail' in .*; make room"):
        registry.register('mail', make_instance())
    registry.register('chat', make_instance())
    assert registry.discover() == {'echo', 'chat'}


@pytest.mark.parametrize('kind', ['a link to itself', 'a link to nowhere', 'a pipe', 'an old file'])
def test_foreign_entry_among_the_doorbells_does_not_prevent_notifications(
    registry, path, look, kind
):
    registry.register('echo', one := make_instance())
    _, found = look()
    KINDS[kind](Path(path, 'registry', '.doorbells', 'x'))
    registry.register('echo', two := make_instance())
    eventually(lambda: set(found) == {one, two}, 10)


def test_huge_file_is_not_read(registry, root, look):
    registry.register('echo', one := make_instance())
    path = root / 'echo' / NAME
    path.touch()
    os.truncate(path, 2**32)
    held = os.open(path, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    _, found = look()
    assert list(found) == [one]
    os.close(held)


@pytest.mark.parametrize('times', [(0, 0), (2**33, 2**33), (-(2**31), -(2**31))])
def test_files_with_any_timestamps_are_read(registry, root, look, times):
    registry.register('echo', one := make_instance())
    (file,) = (root / 'echo').iterdir()
    os.utime(file, times)
    _, found = look()
    assert list(found) == [one]


def test_hard_link_to_an_instance_file_does_not_outlive_the_instance(registry, root, look):
    registry.register('echo', one := make_instance())
    service = registry.get('echo')
    (file,) = (root / 'echo').iterdir()
    os.link(file, file.with_name(f'{one.key}~{"0" * 16}.json'))
    _, found = look()
    registry.refresh(service, 'rpc')
    assert list(found) == list(service) == [one]
    registry.unregister('echo', one)
    eventually(lambda: not len(found) and not len(service), 10)
    assert registry.discover() == set()


def test_file_whose_name_does_not_match_its_instance_is_ignored(registry, root, look):
    registry.register('echo', one := make_instance())
    (file,) = (root / 'echo').iterdir()
    file.rename(file.with_name(NAME))
    registry.register('echo', two := make_instance())
    _, found = look()
    assert list(found) == [two]
    registry.unregister('echo', one)


def test_unreadable_file_is_read_once_it_is_readable(registry, root, look):
    registry.register('echo', one := make_instance())
    (file,) = (root / 'echo').iterdir()
    away = root / 'away'
    file.rename(away)
    file.symlink_to(file.name)
    reader = EmbeddedServiceRegistry(str(root.parents[1]))
    with pytest.raises(LookupFailure):
        reader.get('echo')
    away.replace(file)
    assert list(reader.get('echo')) == [one]
    reader.on_stop()
