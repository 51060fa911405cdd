from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lymph.config import Configuration, ConfigurationError

Write = Callable[[str, str], Path]


def test_the_example_of_the_manual(write: Write) -> None:
    config = Configuration()
    config.load_file(
        write(
            'conf.yml',
            """
container:
    registry:
        class: lymph.discovery.zookeeper:ZookeeperServiceRegistry
        zkclient: dep:kazoo
    events:
        class: lymph.events.kombu:KombuEventSystem
        transport: amqp
dependencies:
    kazoo:
        class: kazoo.client:KazooClient
        hosts: 120.0.0.1:2181
""",
        )
    )
    assert config.get('container.events.transport') == 'amqp'
    assert config.get_raw('container.registry.zkclient') == 'dep:kazoo'
    assert config['dependencies.kazoo.hosts'] == '120.0.0.1:2181'


@pytest.mark.parametrize(
    'file', [io.StringIO('a: ü'), io.BytesIO('a: ü'.encode())], ids=['text', 'bytes']
)
def test_file_like_objects_are_read_as_text_or_bytes(file: io.StringIO | io.BytesIO) -> None:
    config = Configuration()
    config.load(file)
    assert config['a'] == 'ü'


def test_later_files_win_and_mappings_are_joined(write: Write) -> None:
    config = Configuration({'a': {'x': 0, 'w': 0}})
    config.load_file(write('base.yml', 'a:\n  x: 1\n  y: 1\nb: [1, 2]\n'))
    config.load_file(write('local.yml', '\na:\n  y: 2\nb: [3]\n'))
    assert config.get_raw(()) == {'a': {'x': 1, 'y': 2, 'w': 0}, 'b': [3]}
    assert str(config.locate('a.x')) == 'base.yml:2: a.x'
    assert str(config.locate('a.y')) == 'local.yml:3: a.y'
    assert str(config.locate('a')) == 'local.yml:2: a'
    assert str(config.locate('a.z')) == 'local.yml:2: a.z'
    assert str(config.locate('c')) == 'base.yml, local.yml: c'


def test_only_requested_sections_are_loaded(write: Write) -> None:
    write('node.yml', 'container: {ip: 1}\ninstances: {a: $(env.NOWHERE)}\nlogging: {}\n')
    config = Configuration({'instances': 'kept'}, environ={})
    config.load_file('node.yml', sections=['container', 'logging', 'missing'])
    assert config.get_raw(()) == {'container': {'ip': 1}, 'logging': {}, 'instances': 'kept'}
    config.load(io.StringIO('x: 1\ny: 2'), sections=iter(['y']))
    assert ('x' in config, config['y']) == (False, 2)
    with pytest.raises(TypeError, match=r"write \['container'\]"):
        config.load_file('node.yml', sections='container')


def test_the_environment_of_the_process_is_the_default(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Configuration()
    monkeypatch.setenv('LYMPH_TEST_VALUE', 'here')
    config.load_file(write('conf.yml', 'a: $(env.LYMPH_TEST_VALUE)'))
    assert config['a'] == 'here'


def test_a_failed_load_changes_nothing(write: Write) -> None:
    config = Configuration({'a': 1}, environ={})
    write('conf.yml', 'a: 2\nb: $(env.NO)')
    with pytest.raises(ConfigurationError):
        config.load_file('conf.yml')
    assert config.get_raw(()) == {'a': 1}


class Broken(io.RawIOBase):
    """A file that cannot be read."""

    name = 'pipe'

    def read(self, size: int = -1) -> bytes:
        raise OSError(5, 'Input/output error')


@pytest.mark.parametrize('load', [Configuration.load_file, Configuration.load_vars_file])
def test_a_file_that_cannot_be_read_is_named(
    load: Callable[[Configuration, str], None], write: Write
) -> None:
    with pytest.raises(ConfigurationError, match=r'^no\.yml: no such file; check the path$'):
        load(Configuration(), 'no.yml')
    os.mkdir('folder')
    with pytest.raises(ConfigurationError, match=r'^folder: this is a folder; name a file in it$'):
        load(Configuration(), 'folder')
    Path('latin.yml').write_bytes('a: 1\nb: ü'.encode('latin-1'))
    with pytest.raises(ConfigurationError, match=r'^latin\.yml:2: expected UTF-8, found the byte'):
        load(Configuration(), 'latin.yml')
    write('list.yml', '- 1')
    with pytest.raises(ConfigurationError, match=r'^list\.yml:1: expected a mapping'):
        load(Configuration(), 'list.yml')


def test_a_file_like_object_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r'^pipe: cannot be read: Input/output error$'):
        Configuration().load(Broken())  # type: ignore[arg-type]
    path = tmp_path / 'latin.yml'
    path.write_bytes(b'a: \xff')
    with (
        path.open(encoding='utf-8') as file,
        pytest.raises(ConfigurationError, match=r'latin\.yml: expected UTF-8'),
    ):
        Configuration().load(file)


def test_text_that_cannot_be_encoded_is_rejected() -> None:
    with pytest.raises(ConfigurationError, match=r'^<config>:2: expected UTF-8'):
        Configuration().load(io.StringIO('a: 1\nb: \ud800'))


@pytest.mark.parametrize('name', [5, None, b'x'])
def test_a_file_without_a_name_is_called_config(name: object) -> None:
    file = io.StringIO('a: [')
    file.name = name
    with pytest.raises(ConfigurationError, match=r'^<config>:2: not valid YAML'):
        Configuration().load(file)
