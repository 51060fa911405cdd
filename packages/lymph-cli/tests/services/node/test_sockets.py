"""Sockets of a node: open while they are defined, and inherited by no other process."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Sequence

import pytest

from lymph.config import ConfigurationError, Location
from lymph.core._system import inherited
from lymph.services.node._fleet.guard import Guard
from lymph.services.node._fleet.process import Launch, Process
from lymph.services.node._fleet.socket_definitions import SocketDefinition
from lymph.services.node._fleet.sockets import Handed, Sockets, announce
from lymph.testing.waiting import eventually

PATIENCE = 30.0

#: Says which descriptors it has, and what it is told about them.
LOOK = """
import os, socket
def bound(fd):
    return socket.socket(fileno=fd).getsockname()[1]
end = 3 + int(os.environ.get('LISTEN_FDS', 0))
mine = os.environ.get('LISTEN_PID') == str(os.getpid())
fds = sorted(int(name) for name in os.listdir('/proc/self/fd'))
ready = int(os.environ['LYMPH_READY_FD'])  # which each process of a node has
fds = [fd for fd in fds if fd != ready and os.path.exists(f'/proc/self/fd/{fd}')]
print(mine, os.environ.get('LISTEN_FDNAMES'), fds, [bound(fd) for fd in range(3, end)])
"""


def free_port() -> int:
    with socket.create_server(('127.0.0.1', 0)) as probe:
        return int(probe.getsockname()[1])


def defined(port: int, name: str = 'front', *, found: bool = False) -> SocketDefinition:
    return SocketDefinition(name, '127.0.0.1', port, Location('sockets.front.port'), found=found)


def is_open(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(('127.0.0.1', port)) == 0


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    sockets = Sockets()
    yield sockets
    sockets.close()


@pytest.fixture
def guard() -> Iterator[Guard]:
    guard = Guard()
    guard.start()
    yield guard
    guard.stop()


def looked(handed: Sequence[Handed], guard: Guard) -> str:
    """Return the output of a process that inherits these sockets."""
    lines: list[str] = []
    command = [sys.executable, '-I', '-S', '-c', LOOK]
    environ = {**os.environ, 'LISTEN_FDS': '1', 'LISTEN_PID': str(os.getpid())}
    process = Process(Launch(command, environ, 1.0, handed=handed), guard, lines.append)
    process.end.join(PATIENCE)
    process.close()
    return '\n'.join(lines)


def test_process_has_its_own_sockets_in_their_order_and_no_other_has_them(
    sockets: Sockets, guard: Guard
) -> None:
    one, two = free_port(), free_port()
    first, second = defined(one, 'one'), defined(two, 't wo:')
    sockets.update({'both': [second, first], 'none': []})
    assert looked(sockets.of('both'), guard) == f'True t_wo_:one [0, 1, 2, 3, 4] [{two}, {one}]'
    assert looked(sockets.of('none'), guard) == 'False None [0, 1, 2] []'
    assert looked(sockets.of('other'), guard) == 'False None [0, 1, 2] []'


def test_sockets_stay_open_across_reloads_while_they_are_defined(
    sockets: Sockets,
) -> None:
    kept, dropped, added = free_port(), free_port(), free_port()
    sockets.update({'web': [defined(kept), defined(dropped)]})
    with socket.create_connection(('127.0.0.1', kept)) as waiting:
        sockets.update({'web': [defined(added)], 'other': [defined(kept)]})
        assert [is_open(port) for port in (kept, dropped, added)] == [True, False, True]
        (handed,) = sockets.of('other')
        with socket.socket(fileno=os.dup(handed.descriptor)) as listener:
            listener.setblocking(True)
            accepted, address = listener.accept()
            assert address == waiting.getsockname()
            accepted.close()
    sockets.close()
    assert not is_open(kept)


def test_port_in_use_is_an_error_with_advice_and_changes_nothing(sockets: Sockets) -> None:
    before, other = free_port(), free_port()
    sockets.update({'web': [defined(before)]})
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError) as caught:
            sockets.update({'web': [defined(other), defined(port)]})
    assert str(caught.value) == (
        f'sockets.front.port: cannot listen at 127.0.0.1:{port} (Address already in use); '
        'end what uses it, or choose another port'
    )
    assert (is_open(before), is_open(other)) == (True, False)


def test_address_of_another_machine_is_an_error_with_the_reason() -> None:
    away = SocketDefinition('front', '203.0.113.1', 8080, Location('sockets.front.port'))
    with pytest.raises(ConfigurationError, match='name an address of this machine'):
        Sockets({'web': [away]})


def test_found_port_is_bound_and_another_process_can_listen_at_it(sockets: Sockets) -> None:
    port = free_port()
    sockets.update({'web': [defined(port, found=True)]})
    assert len(sockets.of('web')) == 1
    assert not is_open(port)
    with socket.create_server(('127.0.0.1', port)):
        assert is_open(port)


def test_found_port_at_which_an_instance_listens_cannot_be_defined_and_nothing_changes(
    sockets: Sockets,
) -> None:
    port, new = free_port(), free_port()
    before = {'shop': [defined(port, 'shop', found=True)]}
    sockets.update(before)
    (bound,) = sockets.of('shop')
    with socket.create_server(('127.0.0.1', port)):  # an instance that opens the port itself
        with pytest.raises(
            ConfigurationError, match=rf'cannot listen at 127.0.0.1:{port} .*in use'
        ):
            sockets.update({'shop': [defined(new, 'new'), defined(port)]})
        assert not is_open(new)
    assert sockets.wanted == before
    assert sockets.of('shop') == [bound]


def test_found_port_in_use_is_retried_for_the_next_process(sockets: Sockets) -> None:
    with socket.create_server(('127.0.0.1', 0)) as taken:
        sockets.update({'web': [defined(taken.getsockname()[1], found=True)]})
        assert sockets.of('web') == []
    eventually(lambda: sockets.of('web'), PATIENCE)


def test_socket_that_the_node_was_started_with_is_passed_on(
    sockets: Sockets, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(('127.0.0.1', 0)) as made:
        monkeypatch.setattr(inherited, 'FIRST_DESCRIPTOR', made.fileno())
        monkeypatch.setenv('LISTEN_FDS', '1')
        monkeypatch.setenv('LISTEN_PID', str(os.getpid()))
        port = made.getsockname()[1]
        sockets.update({'web': [defined(port)]})
        assert looked(sockets.of('web'), guard) == f'True front [0, 1, 2, 3] [{port}]'


def test_inherited_socket_variables_are_removed_from_the_environment() -> None:
    environ = {'LISTEN_FDS': '1', 'LISTEN_PID': '7', 'LISTEN_FDNAMES': 'x', 'A': 'b'}
    assert list(announce([], environ)) == []
    assert environ == {'A': 'b'}


def test_failed_reload_leaves_no_listening_port_behind(sockets: Sockets) -> None:
    port = free_port()
    sockets.update({'shop': [defined(port, 'shop', found=True)]})
    assert len(sockets.of('shop')) == 1
    with socket.create_server(('127.0.0.1', 0)) as taken:
        used = defined(taken.getsockname()[1], 'used')
        with pytest.raises(ConfigurationError, match='in use'):
            sockets.update({'shop': [defined(port), used]})
    assert not is_open(port)
