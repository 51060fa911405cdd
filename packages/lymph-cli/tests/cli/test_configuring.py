from __future__ import annotations

from pathlib import Path

import pytest

from lymph.cli._program.configuring import load_configuration, load_node_configuration
from lymph.cli.settings import Settings
from lymph.config import ConfigurationError

NODE = """
container: {ip: 10.0.0.1, pool_size: 5}
dependencies: {zk: {class: "a:B"}}
logging: {root: {level: DEBUG}}
components: {SerialEventHandler: {zkclient: "dep:zk"}}
plugins: {newrelic: {key: 1}}
instances: {echo: {command: sleep 1}}
interfaces: {other: {class: "o:Other"}}
"""
ECHO = """
container: {port: 4000, pool_size: $(var.size)}
interfaces: {echo: {class: "e:Echo"}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ('LYMPH_CONFIG', 'LYMPH_VARS', 'LYMPH_NODE_CONFIG'):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / 'echo.yml').write_text(ECHO)
    (tmp_path / 'vars.yml').write_text('size: 7\n')
    return tmp_path


def test_container_section_of_the_node_is_the_default_of_an_instance(folder: Path) -> None:
    (folder / '.lymph.yml').write_text(NODE)
    config = load_configuration(Settings(config=('echo.yml',), vars=('vars.yml',)))
    assert config.get_raw(()) == {
        'container': {'ip': '10.0.0.1', 'port': 4000, 'pool_size': 7},
        'dependencies': {'zk': {'class': 'a:B'}},
        'logging': {'root': {'level': 'DEBUG'}},
        'components': {'SerialEventHandler': {'zkclient': 'dep:zk'}},
        'plugins': {'newrelic': {'key': 1}},
        'interfaces': {'echo': {'class': 'e:Echo'}},
    }


def test_environment_variable_names_the_node_configuration(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / '.lymph.yml').write_text('container: {ip: 10.9.9.9}\n')
    (folder / 'else.yml').write_text(NODE)
    monkeypatch.setenv('LYMPH_NODE_CONFIG', str(folder / 'else.yml'))
    assert load_configuration(Settings())['container']['ip'] == '10.0.0.1'
    assert load_node_configuration(Settings())['container']['ip'] == '10.0.0.1'


def test_missing_node_configuration_is_an_error_if_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv('LYMPH_NODE_CONFIG', 'nowhere.yml')
    with pytest.raises(ConfigurationError, match=r'nowhere\.yml'):
        load_configuration(Settings())


def test_without_any_file_the_configuration_is_empty() -> None:
    assert load_configuration(Settings()) == {}


def test_node_without_a_configuration_file_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match=r'expected \.lymph\.yml'):
        load_node_configuration(Settings())


def test_node_reads_the_given_files_instead_of_the_default_one(folder: Path) -> None:
    (folder / '.lymph.yml').write_text(NODE)
    config = load_node_configuration(Settings(config=('echo.yml',), vars=('vars.yml',)))
    assert set(config) == {'container', 'interfaces'}


def test_later_file_wins(folder: Path) -> None:
    (folder / 'more.yml').write_text('container: {port: 5000}\n')
    settings = Settings(config=('echo.yml', 'more.yml'), vars=('vars.yml',))
    assert load_configuration(settings)['container'] == {'port': 5000, 'pool_size': 7}


@pytest.mark.parametrize('name', ['.lymph.yml', 'echo.yml'])
def test_ignored_section_is_an_error_in_every_file(name: str, folder: Path) -> None:
    (folder / '.lymph.yml').write_text('container: {ip: 10.0.0.1}\n')
    (folder / name).write_text('mine: {a: 1}\nregistry: {class: static}\n')
    with pytest.raises(ConfigurationError, match=rf'{name}:2: registry: .*container\.registry'):
        load_configuration(Settings(config=('echo.yml',)))


def test_node_rejects_ignored_sections_too(folder: Path) -> None:
    (folder / '.lymph.yml').write_text('contaner: {ip: 10.0.0.1}\ninstances: {}\n')
    with pytest.raises(ConfigurationError, match="did you mean 'container'"):
        load_node_configuration(Settings())


def test_sections_that_are_not_shared_may_have_missing_variables(folder: Path) -> None:
    (folder / '.lymph.yml').write_text('instances: {echo: {command: $(var.missing)}}\n')
    config = load_configuration(Settings(config=('echo.yml',), vars=('vars.yml',)))
    assert 'instances' not in config
