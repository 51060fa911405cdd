"""Fixed ports of the instances of a node: which processes share one, and what is rejected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lymph.cli._running.node_sockets import sockets_of
from lymph.cli._running.ports import check_ports
from lymph.config import ConfigurationError, Location
from lymph.services.node._fleet.definitions import Definition
from lymph.services.node._fleet.socket_definitions import SocketDefinition


@pytest.mark.parametrize(
    ('files', 'command', 'port', 'place'),
    [
        ({}, 'lymph instance --port=4123', 4123, '--port=4123'),
        ({}, 'lymph --loglevel info worker --port 4123', 4123, '--port=4123'),
        ({'a.yml': 'container: {port: 4124}'}, 'lymph instance -c a.yml', 4124, 'container.port'),
        (
            {'a.yml': 'container: {log_endpoint: "tcp://127.0.0.1:4126"}'},
            'lymph instance --config=a.yml',
            4126,
            'a.yml:1: container.log_endpoint',
        ),
        (
            {'a.yml': 'container: {monitoring_endpoint: "tcp://127.0.0.1:4127"}'},
            'lymph instance --config=a.yml',
            4127,
            'a.yml:1: container.monitoring_endpoint',
        ),
        (
            {'a.yml': 'container: {port: $(var.port)}', 'v.yml': 'port: 4125'},
            'lymph --vars=v.yml instance -ca.yml',
            4125,
            'container.port',
        ),
    ],
)
def test_port_that_processes_cannot_share_is_rejected_at_the_start(
    shell: Any, files: dict[str, str], command: str, port: int, place: str
) -> None:
    for name, text in files.items():
        shell.write(name, text)
    shell.write('.lymph.yml', f"instances:\n  web: {{command: '{command}', numprocesses: 2}}\n")
    done = shell.run('node')
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert '.lymph.yml:2: instances.web.command: 2 processes cannot all listen at' in line
    assert f'port {port} (' in line
    assert place in line


@pytest.mark.parametrize(
    'command',
    [
        'lymph instance --port=0 -c free.yml',
        'lymph instance -c broken.yml',
        'lymph instance -c missing.yml',
        'lymph discover -c fixed.yml',
        'other instance -c fixed.yml',
    ],
)
def test_anything_else_is_left_to_the_command(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path('free.yml').write_text('container: {port: 0}')
    Path('fixed.yml').write_text('container: {port: 4123}')
    Path('broken.yml').write_text('container: {port: nonsense}')
    where = Location('instances.web.command')
    check_ports([Definition('web', tuple(command.split()), 2, where)], {})
    check_ports([Definition('web', ('lymph', 'instance', '-cfixed.yml'), 1, where)], {})


WEB = 'interfaces: {web: {class: "x:X", port: 8080}, hooks: {class: "x:X", port: 8081, ip: "::1"}}'
WHERE = Location('instances.web.command')


def instance(
    words: str,
    processes: int = 1,
    name: str = 'web',
    sockets: tuple[SocketDefinition, ...] | None = None,
) -> Definition:
    command = ('lymph', 'instance', *words.split())
    return Definition(name, command, processes, WHERE, sockets=sockets)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('LYMPH_NODE_CONFIG', raising=False)
    Path('web.yml').write_text(WEB)
    Path('rpc.yml').write_text('container: {ip: 10.0.0.5, port: 4123}')
    Path('zeromq.yml').write_text('container: {port: 4123, rpc: {transport: zeromq}}')
    Path('odd.yml').write_text('interfaces: {web: {port: no, ip: "a b"}}')


def found(*definitions: Definition, named: tuple[SocketDefinition, ...] = ()) -> dict[str, Any]:
    sockets = sockets_of(definitions, {each.name: each for each in named}, {})
    return {name: [(each.name, str(each)) for each in made] for name, made in sockets.items()}


@pytest.mark.parametrize(
    ('words', 'processes', 'sockets'),
    [
        (
            '-c web.yml',
            2,
            ['interfaces.web.port 127.0.0.1:8080', 'interfaces.hooks.port [::1]:8081'],
        ),
        ('-c web.yml --ip=0.0.0.0 --interface web', 1, ['interfaces.web.port 0.0.0.0:8080']),
        ('-c web.yml --guess-external-ip', 2, ['interfaces.hooks.port [::1]:8081']),
        ('-c rpc.yml', 1, ['container.port 10.0.0.5:4123']),
        ('-c rpc.yml --port=4124', 1, ['--port=4124 10.0.0.5:4124']),
        ('-c rpc.yml --port=0', 1, []),
        ('-c rpc.yml', 2, []),
        ('-c zeromq.yml', 1, []),
        ('-c odd.yml', 2, []),
        ('-c missing.yml', 2, []),
    ],
)
@pytest.mark.usefixtures('files')
def test_processes_get_a_socket_for_each_port_that_can_be_shared(
    words: str, processes: int, sockets: list[str]
) -> None:
    (made,) = found(instance(words, processes)).values()
    assert [' '.join(each) for each in made] == sockets


@pytest.mark.usefixtures('files')
def test_ports_are_read_with_the_environment_of_the_processes() -> None:
    Path('node.yml').write_text('container: {ip: 0.0.0.0}')
    Path('env.yml').write_text('interfaces: {web: {class: "x:X", port: $(env.PORT)}}')
    command = ('lymph', 'instance', '-c', 'env.yml')
    web = Definition('web', command, 2, WHERE, env={'PORT': '8082'})
    environ = {'LYMPH_NODE_CONFIG': 'node.yml', 'PORT': '8080'}
    ((made,),) = sockets_of([web], {}, environ).values()
    assert str(made) == '0.0.0.0:8082'


@pytest.mark.usefixtures('files')
def test_definition_with_an_empty_list_of_sockets_gets_none() -> None:
    assert found(instance('-c web.yml', 2, sockets=())) == {'web': []}


@pytest.mark.usefixtures('files')
def test_ports_of_interfaces_are_not_those_of_workers() -> None:
    worker = Definition('web', ('lymph', 'worker', '-cweb.yml'), 2, WHERE)
    assert found(worker) == {'web': []}


@pytest.mark.usefixtures('files')
def test_port_of_two_definitions_is_passed_to_neither() -> None:
    other = instance('-c web.yml --interface=web', 1, 'other')
    made = found(instance('-c web.yml'), other)
    assert made == {'web': [('interfaces.hooks.port', '[::1]:8081')], 'other': []}
    elsewhere = instance('-c web.yml --interface=web --ip=127.0.0.2', 2, 'other')
    assert found(instance('-c web.yml', 2), elsewhere) == {
        'web': [('interfaces.web.port', '127.0.0.1:8080'), ('interfaces.hooks.port', '[::1]:8081')],
        'other': [('interfaces.web.port', '127.0.0.2:8080')],
    }


@pytest.mark.parametrize('ip', ['127.0.0.1', '0.0.0.0'])
@pytest.mark.usefixtures('files')
def test_port_not_shareable_because_of_another_definition_is_rejected(ip: str) -> None:
    other = instance(f'-c web.yml --interface=web --ip={ip}', 1, 'other')
    with pytest.raises(ConfigurationError) as caught:
        found(instance('-c web.yml', 2), other)
    assert str(caught.value) == (
        'instances.web.command: 2 processes of web cannot share 127.0.0.1:8080 '
        '(web.yml:1: interfaces.web.port): other has it, too; choose another port'
    )


@pytest.mark.usefixtures('files')
def test_definition_whose_files_cannot_be_read_keeps_its_sockets() -> None:
    before = sockets_of([instance('-c rpc.yml')], {}, {})
    Path('rpc.yml').write_text('container: {')
    assert sockets_of([instance('-c rpc.yml')], {}, {}, before) == before
    assert sockets_of([instance('-c rpc.yml')], {}, {}) == {'web': []}


@pytest.mark.usefixtures('files')
def test_defined_sockets_are_passed_to_processes_that_name_them_or_use_their_port() -> None:
    front = SocketDefinition('front', '127.0.0.1', 8080, Location('sockets.front.port'))
    admin = SocketDefinition('admin', '127.0.0.1', 9090, Location('sockets.admin.port'))
    web = instance('-c web.yml --interface=web', 2)
    other = Definition('other', ('any',), 1, WHERE, sockets=(admin, front))
    assert found(web, other, named=(front, admin)) == {
        'web': [('front', '127.0.0.1:8080')],
        'other': [('admin', '127.0.0.1:9090'), ('front', '127.0.0.1:8080')],
    }
    with pytest.raises(ConfigurationError, match=r'^sockets\.admin: no process would accept'):
        found(web, named=(front, admin))


@pytest.mark.usefixtures('files')
def test_unused_sockets_do_not_listen() -> None:
    front = SocketDefinition('front', '127.0.0.1', 8080, Location('sockets.front.port'))
    made = sockets_of([instance('', 0, sockets=(front,))], {'front': front}, {})
    assert [each.found for each in made['web']] == [True]
