"""Distributions in fresh environments: alone, together, with a third party, after a removal."""

from __future__ import annotations

import json
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Create = Callable[..., Path]
Execute = Callable[[Path, str], str]
Pip = Callable[..., str]

DISTRIBUTIONS = [
    'lymph-config',
    'lymph-core',
    'lymph-discovery-zk',
    'lymph-events-kombu',
    'lymph-web',
    'lymph-cli',
    'lymph-testing',
]

INSTALLED = """
import importlib.metadata, json
print(json.dumps([each.name for each in importlib.metadata.distributions()]))
"""

ENTRY_POINTS = """
import importlib.metadata
for entry in importlib.metadata.distribution({name!r}).entry_points:
    print(entry.name)
    entry.load()
"""

PLUGIN = """
from lymph.config import PluginError
from lymph.config.plugins import load_plugin
try:
    print(load_plugin({group!r}, {name!r}))
except PluginError as error:
    print(error)
"""


WITHOUT_REDIS = """
from lymph.config import Configuration, ConfigurationError
from lymph.events.kombu import KombuEventSystem
config = Configuration({'events': {'urls': 'redis://localhost:6379/0'}})
try:
    KombuEventSystem.from_config(config.view('events'))
except ConfigurationError as error:
    print(error)
"""

WITHOUT_EXTRA = """
import io
from lymph.config import Configuration, ConfigurationError
from lymph.core.assembly import build_container
backends = {'registry': {'class': 'static'}, 'events': {'class': 'null'}}
config = Configuration({'container': backends})
config.load(io.StringIO('plugins: {NAME: {}}'))
try:
    build_container(config)
except ConfigurationError as error:
    print(error)
"""

# What setuptools wrote for `namespace_packages`: site runs it when an interpreter starts.
NSPKG = (
    'import sys, types, os;has_mfs = sys.version_info > (3, 5);'
    "p = os.path.join(sys._getframe(1).f_locals['sitedir'], *('lymph',));"
    "importlib = has_mfs and __import__('importlib.util');"
    "has_mfs and __import__('importlib.machinery');"
    "m = has_mfs and sys.modules.setdefault('lymph', importlib.util.module_from_spec("
    "importlib.machinery.PathFinder.find_spec('lymph', [os.path.dirname(p)])));"
    "m = m or sys.modules.setdefault('lymph', types.ModuleType('lymph'));"
    "mp = (m or []) and m.__dict__.setdefault('__path__',[]);(p not in mp) and mp.append(p)\n"
)


def installed(python: Path, execute: Execute) -> set[str]:
    return set(json.loads(execute(python, INSTALLED)))


def lymph(python: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command `lymph` of an environment."""
    return subprocess.run(
        [python.parent / 'lymph', *arguments],
        cwd=cwd,
        env={'HOME': str(cwd), 'LANG': 'C.UTF-8', 'PATH': str(python.parent)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize('name', DISTRIBUTIONS)
def test_all_modules_of_a_distribution_import_with_its_declared_dependencies(
    name: str, alone: Callable[[str], Path], wheels: dict[str, Path], execute: Execute
) -> None:
    with zipfile.ZipFile(wheels[name]) as archive:
        sources = [Path(each) for each in archive.namelist() if each.endswith('.py')]
    modules = ['.'.join(each.with_suffix('').parts).removesuffix('.__init__') for each in sources]
    imports = [f'import {each}' for each in modules if not each.endswith('__main__')]
    assert imports
    execute(alone(name), '\n'.join(imports))


@pytest.mark.parametrize(
    'name', [each for each in DISTRIBUTIONS if each not in ('lymph-config', 'lymph-web')]
)
def test_all_entry_points_of_a_distribution_can_be_loaded(
    name: str, alone: Callable[[str], Path], execute: Execute
) -> None:
    assert execute(alone(name), ENTRY_POINTS.format(name=name))


def test_lymph_config_brings_a_yaml_parser_and_nothing_else(
    alone: Callable[[str], Path], execute: Execute
) -> None:
    found = installed(alone('lymph-config'), execute)
    assert found == {'lymph-config', 'PyYAML'}


def test_zookeeper_installs_neither_other_backends_nor_the_command_line(
    alone: Callable[[str], Path], execute: Execute
) -> None:
    python = alone('lymph-discovery-zk')
    found = {each.lower() for each in installed(python, execute)}
    assert {'lymph-core', 'kazoo'} <= found
    assert found.isdisjoint({'kombu', 'werkzeug', 'click', 'rich', 'psutil', 'pytest'})
    loaded = execute(python, PLUGIN.format(group='lymph.discovery', name='zookeeper'))
    assert 'ZookeeperServiceRegistry' in loaded


def test_a_known_backend_that_is_not_installed_is_named_with_its_distribution(
    alone: Callable[[str], Path], execute: Execute
) -> None:
    said = execute(alone('lymph-discovery-zk'), PLUGIN.format(group='lymph.events', name='kombu'))
    assert said.strip() == "'kombu' is provided by lymph-events-kombu, which is not installed"


def test_redis_without_its_client_is_an_error_that_names_the_extra(
    alone: Callable[[str], Path], execute: Execute
) -> None:
    python = alone('lymph-testing')
    assert 'kombu' in installed(python, execute)
    assert 'redis' not in installed(python, execute)
    said = execute(python, WITHOUT_REDIS)
    assert "pip install 'lymph-events-kombu[redis]'" in said
    assert said.startswith('events.urls: ')
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize('name', ['opentelemetry', 'sentry'])
def test_plugin_without_its_sdk_is_an_error_that_names_the_extra(
    alone: Callable[[str], Path], execute: Execute, name: str
) -> None:
    python = alone('lymph-discovery-zk')
    assert not any(name in each for each in installed(python, execute))
    said = execute(python, WITHOUT_EXTRA.replace('NAME', name))
    assert f"pip install 'lymph-core[{name}]'" in said
    assert said.startswith(f'<config>:1: plugins.{name}: ')
    assert len(said.splitlines()) == 1


def test_misspelt_backend_is_an_error_that_lists_the_installed_ones(
    alone: Callable[[str], Path], execute: Execute
) -> None:
    python = alone('lymph-discovery-zk')
    said = execute(python, PLUGIN.format(group='lymph.discovery', name='zookeper'))
    assert said.strip() == (
        "no plugin 'zookeper' in group lymph.discovery (installed: embedded, static, zookeeper); "
        "did you mean 'zookeeper'?"
    )


def test_lymph_testing_needs_no_backend_and_no_pytest(
    environment: Create, execute: Execute
) -> None:
    python = environment('lymph-testing')
    found = {each.lower() for each in installed(python, execute)}
    assert found.isdisjoint({'kazoo', 'kombu', 'werkzeug', 'click', 'pytest'})
    execute(python, 'import lymph.testing, lymph.testing.servers')


@pytest.fixture(scope='session')
def with_acme(environment: Create, strange: Path) -> Path:
    """The Python of an environment with lymph-cli and a third-party distribution."""
    return environment('lymph-cli', strange)


def test_third_party_distribution_adds_a_command(with_acme: Path, tmp_path: Path) -> None:
    done = lymph(with_acme, 'greet', 'you', cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, 'ACME greets you\n')


def test_third_party_commands_are_listed_and_a_broken_one_with_its_reason(
    with_acme: Path, tmp_path: Path
) -> None:
    done = lymph(with_acme, 'list', cwd=tmp_path)
    assert done.returncode == 0
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
    assert 'Greet somebody in the name of ACME' in lines['greet']
    assert 'acme_engine' in lines['broken']
    assert {'instance', 'node', 'request'} <= set(lines)


def test_a_broken_command_fails_in_one_line_without_traceback(
    with_acme: Path, tmp_path: Path
) -> None:
    done = lymph(with_acme, 'broken', cwd=tmp_path)
    assert done.returncode != 0
    assert 'acme_engine' in done.stderr
    assert 'acme-lymph' in done.stderr
    assert 'Traceback' not in done.stderr


def test_third_party_distribution_adds_a_registry_and_an_event_system(
    with_acme: Path, execute: Execute
) -> None:
    said = execute(with_acme, 'import acme.service; acme.service.main()')
    assert said.splitlines() == ['AcmeRegistry AcmeEvents', 'hello you', 'you']


@pytest.fixture(scope='session')
def shared(environment: Create) -> Path:
    """The Python of an environment with several distributions, to uninstall one."""
    return environment('lymph-discovery-zk', 'lymph-cli')


@pytest.fixture
def without(shared: Path, pip: Pip, wheels: dict[str, Path]) -> Iterator[Callable[[str], Path]]:
    """Uninstall a distribution from the shared environment for one test."""
    removed = []

    def without(name: str) -> Path:
        pip(shared, 'uninstall', '--yes', name)
        removed.append(name)
        return shared

    yield without
    for name in removed:
        pip(shared, 'install', '--no-deps', '--no-compile', wheels[name])


def test_everything_else_works_without_zookeeper(
    without: Callable[[str], Path], execute: Execute, tmp_path: Path
) -> None:
    python = without('lymph-discovery-zk')
    assert lymph(python, 'list', cwd=tmp_path).returncode == 0
    loaded = execute(python, PLUGIN.format(group='lymph.discovery', name='embedded'))
    assert 'EmbeddedServiceRegistry' in loaded
    said = execute(python, PLUGIN.format(group='lymph.discovery', name='zookeeper'))
    assert 'is provided by lymph-discovery-zk, which is not installed' in said


def test_everything_else_works_without_the_command_line(
    without: Callable[[str], Path], execute: Execute
) -> None:
    python = without('lymph-cli')
    loaded = execute(python, PLUGIN.format(group='lymph.discovery', name='zookeeper'))
    assert 'ZookeeperServiceRegistry' in loaded
    assert execute(python, 'import lymph; print(lymph.Interface.__name__)') == 'Interface\n'


def test_configuration_works_without_the_core(
    without: Callable[[str], Path], execute: Execute
) -> None:
    python = without('lymph-core')
    script = "from lymph.config import Configuration; print(Configuration({'a': 1}).get('a'))"
    assert execute(python, script) == '1\n'


def test_lymph_installs_all_distributions_except_lymph_testing(
    environment: Create, execute: Execute
) -> None:
    python = environment('lymph')
    found = {each for each in installed(python, execute) if each.startswith('lymph')}
    assert found == {'lymph', *DISTRIBUTIONS} - {'lymph-testing'}
    execute(python, 'import lymph.cli, lymph.web, lymph.discovery.zookeeper, lymph.events.kombu')


@pytest.fixture(scope='session')
def old_plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel as setuptools built them for plugins of lymph 0.15, with a namespace package."""
    wheel = tmp_path_factory.mktemp('wheels') / 'lymph_old_thing-1.0-py3-none-any.whl'
    info = 'lymph_old_thing-1.0.dist-info'
    with zipfile.ZipFile(wheel, 'w') as archive:
        archive.writestr('lymph/old_thing/__init__.py', 'NAME = "old thing"\n')
        archive.writestr('lymph_old_thing-1.0-py3.10-nspkg.pth', NSPKG)
        archive.writestr(
            f'{info}/METADATA', 'Metadata-Version: 2.1\nName: lymph-old-thing\nVersion: 1.0\n'
        )
        archive.writestr(
            f'{info}/WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n'
        )
        archive.writestr(f'{info}/namespace_packages.txt', 'lymph\n')
        archive.writestr(f'{info}/RECORD', '')
    return wheel


def test_a_plugin_of_lymph_0_15_hides_nothing_and_can_be_imported(
    environment: Create, old_plugin: Path, execute: Execute
) -> None:
    python = environment('lymph-core', old_plugin)
    script = (
        'import lymph; print(lymph.rpc.__name__); import lymph.old_thing as old; print(old.NAME)'
    )
    assert execute(python, script).splitlines() == ['rpc', 'old thing']
    script = 'import lymph.old_thing, lymph.core.trace, lymph; print(lymph.Interface.__name__)'
    assert execute(python, script) == 'Interface\n'


def test_uninstalling_leaves_nothing_of_lymph(environment: Create, pip: Pip) -> None:
    python = environment('lymph-cli')
    pip(python, 'uninstall', '--yes', 'lymph-cli', 'lymph-core', 'lymph-config')
    left = [each for each in python.parent.parent.rglob('*lymph*') if each.suffix != '.pyc']
    assert [each for each in left if each.is_file()] == []
