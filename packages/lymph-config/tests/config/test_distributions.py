"""Installed distributions are found as by `importlib.metadata`, for any `sys.path`."""

from __future__ import annotations

import email.message  # noqa: F401 - `importlib.metadata` needs it where `sys.path` is another one
import importlib.metadata
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lymph.config import distributions

GROUP = 'test.group'
ENTRIES = f'[{GROUP}]\n{{name}} = pkg.mod:Name\n'


class Site:
    """A folder of installed distributions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def add(self, info: str, entries: str | None = ENTRIES, file: str = 'METADATA') -> Path:
        """Add the metadata of a distribution; its name and version are in that of the folder."""
        path = self.folder / info
        path.mkdir(parents=True)
        name, _, version = path.stem.partition('-')
        headers = f'Metadata-Version: 2.1\nName: {name}\nVersion: {version or "0"}\n'
        (path / file).write_text(f'{headers}Summary: a\n b: c\n\nName: no\nVersion: 9\n')
        if entries is not None:
            (path / 'entry_points.txt').write_text(entries.replace('{name}', name))
        return path


class Importer(importlib.metadata.DistributionFinder):
    """An importer that knows one distribution, which `make` returns."""

    def __init__(self, make: Callable[[], importlib.metadata.Distribution]) -> None:
        self.make = make

    def find_distributions(
        self, context: importlib.metadata.DistributionFinder.Context | None = None
    ) -> Iterator[importlib.metadata.Distribution]:
        return iter([self.make()])

    def find_spec(self, *_: object) -> None:
        return None


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The one folder on `sys.path`."""
    site = Site(tmp_path / 'site')
    monkeypatch.setattr(sys, 'path', [str(site.folder)])
    distributions.refresh()
    yield site
    distributions.refresh()


def found() -> list[tuple[str, ...]]:
    return [tuple(each) for each in distributions.entry_points(GROUP)]


def expected() -> list[tuple[str, ...]]:
    """Return what `importlib.metadata` finds, with the facts of each distribution."""
    importlib.invalidate_caches()
    entries = importlib.metadata.entry_points(group=GROUP)
    facts = [(each.dist.name, each.dist.version) for each in entries if each.dist is not None]
    return [
        (each.group, each.name, each.value, *known)
        for each, known in zip(entries, facts, strict=True)
    ]


def names() -> list[str]:
    assert found() == expected()
    return [each[1] for each in found()]


def test_entry_points_of_wheels_eggs_and_develop_installs_are_found(site: Site) -> None:
    site.add('wheel-1.0.dist-info')
    site.add('no_entries-1.0.dist-info', entries=None)
    site.add('other_group-1.0.dist-info', entries='[console_scripts]\nx = y:z\n')
    site.add('develop.egg-info', file='PKG-INFO')
    (site.folder / 'file-1.0.egg-info').write_text('Name: file\nVersion: 1.0\n')
    (site.folder / 'module.py').touch()
    assert sorted(names()) == ['develop', 'wheel']


def test_folder_of_an_egg_is_found(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    egg = Site(site.folder / 'Egg-1.0-py3.11.egg')
    info = egg.add('EGG-INFO', file='PKG-INFO')
    (info / 'PKG-INFO').write_text('Name: Egg\nVersion: 1.0\n')
    monkeypatch.setattr(sys, 'path', [str(egg.folder)])
    assert found() == expected()
    assert [each[3:] for each in found()] == [('Egg', '1.0')]


@pytest.mark.parametrize(
    ('first', 'second'),
    [
        ('my_dist-1.0.dist-info', 'my_dist-2.0.dist-info'),
        ('my.dist-1.0.dist-info', 'My_Dist-2.0.dist-info'),
        ('my_dist.egg-info', 'my_dist-2.0.dist-info'),
        ('my__dist-1.0.dist-info', 'my._dist.egg-info'),
    ],
)
@pytest.mark.parametrize('has_entries', [True, False])
def test_first_distribution_of_several_on_the_path_wins(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str, second: str,
    has_entries: bool,
) -> None:  # fmt: skip
    other = Site(tmp_path / 'other')
    site.add(first, entries=f'[{GROUP}]\nfirst = a:b\n' if has_entries else None)
    other.add(second, entries=f'[{GROUP}]\nsecond = a:b\n')
    monkeypatch.setattr(sys, 'path', [str(site.folder), str(other.folder)])
    assert names() == (['first'] if has_entries else [])
    monkeypatch.setattr(sys, 'path', [str(other.folder), str(site.folder), str(other.folder)])
    assert names() == ['second']


def test_two_versions_in_one_folder_count_as_one(site: Site) -> None:
    site.add('dist-1.0.dist-info')
    site.add('dist-2.0.dist-info')
    assert len(names()) == 1


def test_text_is_read_as_the_specification_says(site: Site) -> None:
    site.add(
        'dist-1.0.dist-info',
        f'before = a:b\n# [{GROUP}]\n[ {GROUP} ]\nx = a:b\n\n  [{GROUP}]\n'
        f'  one=a.b : c [extra, more] \n; two = a:b\nthree = a:b = c\n[other]\nx = y:z\n'
        f'[{GROUP}]\nfour = {"ü"}:x\n',
    )
    assert names() == ['one', '; two', 'three', 'four']
    assert found()[0][2] == 'a.b : c [extra, more]'


@pytest.mark.parametrize(
    'text', [f'[{GROUP}]\nno equals sign\n'.encode(), f'[{GROUP}]\n\xff = y:z\n'.encode('latin-1')]
)
def test_damaged_entry_points_do_not_hide_others(
    site: Site, text: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level('WARNING')
    (site.add('bad-1.0.dist-info') / 'entry_points.txt').write_bytes(text)
    site.add('good-1.0.dist-info')
    assert [each[1] for each in found()] == ['good']
    [line] = caplog.text.splitlines()
    assert 'bad-1.0.dist-info is passed over' in line


def test_metadata_need_not_be_utf8(site: Site) -> None:
    old = site.add('old-1.0-py3.11.egg-info', f'[{GROUP}]\nold = a:b\n')
    (old / 'METADATA').unlink()
    (old / 'PKG-INFO').write_bytes('Name: old\nVersion: 1.0\nAuthor: Jörg\n'.encode('latin-1'))
    assert found() == [(GROUP, 'old', 'a:b', 'old', '1.0')]
    assert distributions.version('old') == '1.0'


def test_version_is_that_of_the_first_whose_metadata_can_be_read(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = site.add('loop-1.0-py3.11.egg-info') / 'METADATA'
    loop.unlink()
    loop.symlink_to(loop)
    (site.folder / 'dist-2.0.dist-info').mkdir()
    other = Site(tmp_path / 'other')
    other.add('dist-1.0.dist-info')
    monkeypatch.setattr(sys, 'path', [str(site.folder), str(other.folder)])
    assert distributions.version('dist') == '1.0'


@pytest.mark.parametrize('metadata', [None, 'Version: 1.0\n\nName: bad\n'])
def test_distribution_without_a_name_is_left_out(site: Site, metadata: str | None) -> None:
    file = site.add('bad-1.0.dist-info') / 'METADATA'
    file.unlink()
    if metadata is not None:
        file.write_text(metadata)
    site.add('good-1.0.dist-info')
    assert [each[1] for each in found()] == ['good']


def test_path_may_contain_missing_folders_and_the_current_one(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add('dist-1.0.dist-info')
    monkeypatch.chdir(site.folder)
    monkeypatch.setattr(sys, 'path', ['', '/no/such/folder', '/no/such.zip'])
    assert names() == ['dist']


def test_zip_files_and_other_importers_are_searched_as_python_does(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add('dist-1.0.dist-info')
    zipped = Site(tmp_path / 'zipped')
    info = zipped.add('in_zip-1.0.dist-info')
    archive = tmp_path / 'app.zip'
    with zipfile.ZipFile(archive, 'w') as file:
        for path in filter(Path.is_file, zipped.folder.rglob('*')):
            file.write(path, path.relative_to(zipped.folder))
    monkeypatch.setattr(sys, 'path', [str(site.folder), str(archive)])
    assert names() == ['dist', 'in_zip']
    assert distributions.version('in.zip') == '1.0'

    monkeypatch.setattr(sys, 'path', [str(site.folder)])
    distributions.refresh()
    assert names() == ['dist']
    importer = Importer(lambda: importlib.metadata.Distribution.at(info))
    monkeypatch.setattr(sys, 'meta_path', [*sys.meta_path, importer])
    distributions.refresh()
    assert names() == ['dist', 'in_zip']


@pytest.mark.parametrize('failure', [SystemExit(5), RuntimeError('no index')])
def test_failing_importer_does_not_hide_distributions_in_folders(
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    failure: BaseException,
) -> None:
    def fail() -> importlib.metadata.Distribution:
        raise failure

    site.add('dist-1.0.dist-info')
    monkeypatch.setattr(sys, 'path', [str(site.folder)])
    monkeypatch.setattr(sys, 'meta_path', [*sys.meta_path, Importer(fail)])
    distributions.refresh()
    assert {each[3] for each in found()} == {'dist'}
    assert f'an importer failed: {type(failure).__name__}: {failure}' in caplog.text


@pytest.mark.parametrize('failure', [SystemExit(5), RuntimeError('no index')])
def test_importer_whose_distribution_fails_hides_no_other(
    site: Site, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    class Odd(importlib.metadata.Distribution):
        def read_text(self, filename: str) -> str | None:
            raise failure

        def locate_file(self, path: object) -> Path:
            return Path('nowhere')

    site.add('dist-1.0.dist-info')
    monkeypatch.setattr(sys, 'path', [str(site.folder)])
    monkeypatch.setattr(sys, 'meta_path', [*sys.meta_path, Importer(Odd)])
    distributions.refresh()
    assert {each[3] for each in found()} == {'dist'}


def test_results_are_those_of_importlib_metadata_here() -> None:
    distributions.refresh()
    for group in ('console_scripts', 'lymph.cli', 'lymph.events', 'pytest11', 'no.such.group'):
        entries = importlib.metadata.entry_points(group=group)
        assert [each[:3] for each in distributions.entry_points(group)] == [
            (each.group, each.name, each.value) for each in entries
        ]
    for name in ('lymph-config', 'Lymph_Config', 'pytest'):
        assert distributions.version(name) == importlib.metadata.version(name)


def test_version_of_a_missing_distribution_is_an_error(site: Site) -> None:
    site.add('dist-1.0.dist-info')
    assert distributions.version('dist') == '1.0'
    with pytest.raises(LookupError, match='no-such-dist is not installed'):
        distributions.version('no-such-dist')


def test_a_path_object_on_sys_path_is_a_folder_like_others(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add('one-1.0.dist-info')
    monkeypatch.setattr(sys, 'path', [site.folder])
    assert names() == ['one']
