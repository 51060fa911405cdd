from __future__ import annotations

from pathlib import Path

import pytest

from lymph.config import Configuration, ConfigurationError
from lymph.services.node._fleet.definitions import Definition, read_definitions
from lymph.services.node._fleet.socket_definitions import read_sockets
from lymph.testing.contracts.sections import NUMBERS, check_refused, check_taken_or_refused

INSTANCES = 'instances: {web: {command: x, sockets: [front, admin]}}\n'
SOCKETS = 'sockets: {front: {port: 8080}, admin: {host: "[::1]", port: 8080, backlog: 16}}\n'


def read(text: str, tmp_path: Path) -> Configuration:
    file = tmp_path / 'node.yml'
    file.write_text(text)
    config = Configuration()
    config.load_file(file)
    return config


def test_sockets_are_addresses_with_a_backlog_that_instances_name(tmp_path: Path) -> None:
    config = read('container: {ip: 10.0.0.5}\n' + INSTANCES + SOCKETS, tmp_path)
    front, admin = read_sockets(config).values()
    assert (front.host, front.port, front.backlog) == ('10.0.0.5', 8080, 1024)
    assert (admin.host, admin.port, admin.backlog) == ('::1', 8080, 16)
    (web,) = read_definitions(config)
    assert web.sockets == (front, admin)
    text = 'instances: {none: {command: x, sockets: []}, any: {command: x}}'
    assert [each.sockets for each in read_definitions(read(text, tmp_path))] == [(), None]


def test_processes_with_a_socket_at_another_address_have_to_be_replaced(tmp_path: Path) -> None:
    def web(sockets: str) -> Definition:
        return read_definitions(read(INSTANCES + sockets, tmp_path))[0]

    before = web(SOCKETS)
    assert web('\n' + SOCKETS.replace('16', '17')).runs_like(before)
    assert not web(SOCKETS.replace('8080}', '8081}')).runs_like(before)


def test_sockets_are_bound_to_loopback_by_default(tmp_path: Path) -> None:
    (socket,) = read_sockets(read('sockets: {front: {port: 1}}', tmp_path)).values()
    assert socket.is_at('127.0.0.1', 1)
    assert not socket.is_at('127.0.0.1', 2)
    assert not socket.is_at('localhost', 1)


@pytest.mark.parametrize(
    ('section', 'complaint'),
    [
        ('[]', 'expected a mapping'),
        ('{front: 8080}', 'expected a mapping'),
        ('{front: {}}', 'sockets.front.port: not set'),
        ('{front: {port: 0}}', 'expected a whole number from 1 to 65535'),
        ('{front: {port: 1, backlog: 0}}', 'expected a whole number from 1 to 65535'),
        ('{front: {port: 1, host: 1.2.3}}', 'expected an IP address or a host name'),
        ('{front: {port: 1, bakclog: 1}}', "did you mean 'backlog'?"),
        ('{"a:b": {port: 1}}', 'expected a name of up to 64 letters'),
        ('{a: {port: 1}, b: {port: 1}}', '127.0.0.1:1 is that of sockets.a, too'),
    ],
)
def test_invalid_socket_is_a_configuration_error_with_its_place(
    section: str, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_sockets(read(f'sockets: {section}', tmp_path))
    assert complaint in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / 'node.yml'))


@pytest.mark.parametrize(
    ('names', 'complaint'),
    [
        ('front', 'expected a list'),
        ('[1]', 'expected a list of names'),
        ('[frnt]', "no socket 'frnt'; did you mean 'front'?"),
        ('[other]', "no socket 'other'; define it in the section sockets"),
        ('[front, front]', 'front is named twice'),
    ],
)
def test_names_of_sockets_are_those_of_the_section(
    names: str, complaint: str, tmp_path: Path
) -> None:
    text = f'instances: {{web: {{command: x, sockets: {names}}}}}\n{SOCKETS}'
    with pytest.raises(ConfigurationError) as caught:
        read_definitions(read(text, tmp_path))
    assert 'node.yml:1: instances.web.sockets: ' in str(caught.value)
    assert complaint in str(caught.value)


def test_any_invalid_value_raises_configuration_error() -> None:
    base = {'sockets': {'a': {'port': 1}}}
    for key in ('sockets', 'sockets.a', 'sockets.a.host'):
        check_taken_or_refused(key, read_sockets, base)
    for key in ('sockets.a.port', 'sockets.a.backlog'):
        check_refused(key, (*NUMBERS, '0.5', '65536'), read_sockets, base)
