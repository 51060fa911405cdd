"""The content of the wheels: each its own files, one of them `lymph/__init__.py`, nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
VERSION = (ROOT / 'VERSION').read_text().strip()

#: The folders that one distribution owns: each has an `__init__.py` and a `py.typed`.
OWNED = {
    'lymph-config': ['lymph/config'],
    'lymph-core': ['lymph/core', 'lymph/patterns', 'lymph/serializers'],
    'lymph-discovery-zk': ['lymph/discovery/zookeeper'],
    'lymph-events-kombu': ['lymph/events/kombu'],
    'lymph-web': ['lymph/web'],
    'lymph-cli': ['lymph/cli', 'lymph/services/node'],
    'lymph-testing': ['lymph/testing'],
    'lymph': [],
}
SHARED = ['lymph/discovery', 'lymph/events', 'lymph/services']

every_distribution = pytest.mark.parametrize('name', OWNED)


def files(wheel: Path) -> list[str]:
    """The files that a wheel puts beside those of the other wheels."""
    with zipfile.ZipFile(wheel) as archive:
        return [each for each in archive.namelist() if '.dist-info/' not in each]


def metadata(wheel: Path) -> Message:
    name, version, *_ = wheel.name.split('-')
    with zipfile.ZipFile(wheel) as archive:
        return Parser().parsestr(archive.read(f'{name}-{version}.dist-info/METADATA').decode())


def requirements(wheel: Path) -> Iterator[Requirement]:
    for line in metadata(wheel).get_all('Requires-Dist', []):
        yield Requirement(line)


def test_there_is_a_wheel_for_each_distribution(wheels: dict[str, Path]) -> None:
    assert set(wheels) == set(OWNED)


def test_only_lymph_core_contains_the_package_lymph_itself(wheels: dict[str, Path]) -> None:
    faces = [name for name, wheel in wheels.items() if 'lymph/__init__.py' in files(wheel)]
    assert faces == ['lymph-core']


def test_no_file_is_in_two_wheels(wheels: dict[str, Path]) -> None:
    counted = Counter(each for wheel in wheels.values() for each in files(wheel))
    assert [each for each, times in counted.items() if times > 1] == []


@every_distribution
def test_wheel_contains_only_the_folders_of_its_distribution(
    name: str, wheels: dict[str, Path]
) -> None:
    mine = tuple(f'{folder}/' for folder in OWNED[name])
    others = tuple(f'{each}/' for other, owned in OWNED.items() if other != name for each in owned)
    strays = [each for each in files(wheels[name]) if each.startswith(others)]
    if name != 'lymph-core':  # which also owns what lies directly in the shared folders
        strays += [each for each in files(wheels[name]) if not each.startswith(mine)]
    assert strays == []


@pytest.mark.parametrize(
    ('folder', 'file'),
    [
        ('_gateway/page', 'index.html'),
        ('_dashboard/page', 'index.html'),
        ('_pages/shared', 'dom.js'),
    ],
)
def test_wheel_of_lymph_web_holds_the_files_of_pages(
    folder: str, file: str, wheels: dict[str, Path]
) -> None:
    folder = f'lymph/web/{folder}'
    page = ROOT / 'packages' / 'lymph-web' / 'src' / folder
    own = {each for each in files(wheels['lymph-web']) if each.startswith(f'{folder}/')}
    assert own == {f'{folder}/{each.name}' for each in page.iterdir()}
    assert f'{folder}/{file}' in own


@every_distribution
def test_a_wheel_holds_no_tests(name: str, wheels: dict[str, Path]) -> None:
    parts = [Path(each).parts for each in files(wheels[name])]
    assert [
        each for each in parts if 'tests' in each or each[-1].startswith(('test_', 'conftest'))
    ] == []


@every_distribution
def test_owned_folders_are_typed_packages(name: str, wheels: dict[str, Path]) -> None:
    expected = {f'{each}/{file}' for each in OWNED[name] for file in ('__init__.py', 'py.typed')}
    assert expected <= set(files(wheels[name]))


def test_shared_folders_are_namespace_packages(wheels: dict[str, Path]) -> None:
    found = {each for wheel in wheels.values() for each in files(wheel)}
    assert found.isdisjoint(f'{folder}/__init__.py' for folder in SHARED)


@every_distribution
def test_a_wheel_has_the_one_version(name: str, wheels: dict[str, Path]) -> None:
    assert metadata(wheels[name])['Version'] == VERSION


@every_distribution
def test_a_wheel_pins_the_others_to_its_own_minor_version(
    name: str, wheels: dict[str, Path]
) -> None:
    major, minor, _ = VERSION.split('.')
    pins = {
        each.name: str(each.specifier) for each in requirements(wheels[name]) if each.name in OWNED
    }
    assert pins == dict.fromkeys(pins, f'~={major}.{minor}.0')
    assert pins or name == 'lymph-config'


@every_distribution
def test_a_wheel_carries_the_license_of_the_whole(name: str, wheels: dict[str, Path]) -> None:
    with zipfile.ZipFile(wheels[name]) as archive:
        license = archive.read(f'{name.replace("-", "_")}-{VERSION}.dist-info/licenses/LICENSE')
    assert license == (ROOT / 'LICENSE').read_bytes()


@every_distribution
def test_a_wheel_built_from_the_source_distribution_is_the_same(
    name: str, wheels: dict[str, Path], tmp_path: Path
) -> None:
    subprocess.run(
        [
            sys.executable,
            '-m',
            'build',
            '--no-isolation',
            '--outdir',
            tmp_path,
            ROOT / 'packages' / name,
        ],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    (built,) = tmp_path.glob('*.whl')
    assert built.name == wheels[name].name
    assert files(built) == files(wheels[name])
    assert metadata(built).as_string() == metadata(wheels[name]).as_string()
