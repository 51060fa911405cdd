"""Inherited sockets: the protocol, and which socket is used for an address."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import gevent
import pytest

from lymph.core._system import inherited
from lymph.core._system.inherited import (
    SocketMismatch,
    adopt,
    inherited_sockets,
    keep_open,
    misdirected,
    read_environment,
    unused_sockets,
)
from lymph.core.transport.zmtp import ZmtpTransport
from lymph.testing.waiting import eventually

_FIRST = 700  # descriptors that nothing else in a test run has

Inherit = Callable[..., int]


@pytest.fixture
def inherit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inherit]:
    """Let this process inherit a bound socket; return its port."""
    monkeypatch.setattr(inherited, 'FIRST_DESCRIPTOR', _FIRST)
    monkeypatch.setenv('LISTEN_PID', str(os.getpid()))
    monkeypatch.setenv('LISTEN_FDNAMES', '')
    descriptors: list[int] = []

    def start(
        host: str = '127.0.0.1',
        *,
        name: str = 'web',
        listening: bool = True,
        kind: int = socket.SOCK_STREAM,
    ) -> int:
        with socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, kind) as sock:
            sock.bind((host, 0))
            if listening:
                sock.listen(5)
            descriptors.append(_FIRST + len(descriptors))
            os.dup2(sock.fileno(), descriptors[-1], inheritable=True)
            monkeypatch.setenv('LISTEN_FDS', str(len(descriptors)))
            monkeypatch.setenv(
                'LISTEN_FDNAMES', f'{os.environ["LISTEN_FDNAMES"]}:{name}'.strip(':')
            )
            return int(sock.getsockname()[1])

    yield start
    for each in descriptors:
        os.close(each)


@pytest.mark.parametrize(
    ('environ', 'announced'),
    [
        ({}, []),
        ({'LISTEN_FDS': '2', 'LISTEN_PID': '7'}, [(3, ''), (4, '')]),
        ({'LISTEN_FDS': '1', 'LISTEN_PID': '7', 'LISTEN_FDNAMES': 'web'}, [(3, 'web')]),
        ({'LISTEN_FDS': '2', 'LISTEN_PID': '7', 'LISTEN_FDNAMES': 'a'}, [(3, 'a'), (4, '')]),
        ({'LISTEN_FDS': '1', 'LISTEN_PID': '7', 'LISTEN_FDNAMES': 'a:b'}, [(3, 'a')]),
        ({'LISTEN_FDS': '2', 'LISTEN_PID': '8'}, []),
        ({'LISTEN_FDS': '2'}, []),
        ({'LISTEN_FDS': '-1', 'LISTEN_PID': '7'}, []),
        ({'LISTEN_FDS': 'two', 'LISTEN_PID': '7'}, []),
        ({'LISTEN_FDS': '\u0662', 'LISTEN_PID': '7'}, []),
        ({'LISTEN_FDS': '', 'LISTEN_PID': '7'}, []),
    ],
)
def test_environment_passes_descriptors_from_three_on_to_one_process(
    environ: dict[str, str], announced: list[tuple[int, str]]
) -> None:
    assert read_environment(environ, 7) == announced


def test_excessive_number_of_descriptors_is_cut() -> None:
    assert len(read_environment({'LISTEN_FDS': '9' * 50, 'LISTEN_PID': '7'}, 7)) == 1024


def test_inherited_socket_has_one_user_at_a_time(inherit: Inherit) -> None:
    port = inherit()
    first = adopt('127.0.0.1', port)
    assert first is not None
    with pytest.raises(OSError, match='in use') as caught:
        adopt('127.0.0.1', port)
    assert caught.value.errno == errno.EADDRINUSE
    first.close()
    again = adopt('localhost', port)
    assert again is not None
    with again, socket.create_connection(('127.0.0.1', port)):
        accepted, _ = again.accept()
        accepted.close()


def test_connections_wait_until_they_are_accepted(inherit: Inherit) -> None:
    port = inherit()
    before = adopt('127.0.0.1', port)
    assert before is not None
    before.close()
    with socket.create_connection(('127.0.0.1', port)):
        after = adopt('127.0.0.1', port)
        assert after is not None
        with after:
            after.accept()[0].close()


@pytest.mark.parametrize('port', [0, 1])
def test_other_ports_are_not_inherited(inherit: Inherit, port: int) -> None:
    inherit()
    assert adopt('127.0.0.1', port) is None


def test_socket_that_does_not_listen_yet_listens_once_it_is_used(inherit: Inherit) -> None:
    port = inherit(listening=False)
    assert unused_sockets() == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(('127.0.0.1', port))
    sock = adopt('127.0.0.1', port)
    assert sock is not None
    with sock, socket.create_connection(('127.0.0.1', port)):
        pass


@pytest.mark.parametrize(('bound', 'asked'), [('0.0.0.0', '127.0.0.1'), ('127.0.0.1', '0.0.0.0')])
def test_socket_at_another_host_raises_an_error_that_names_it(
    inherit: Inherit, bound: str, asked: str
) -> None:
    port = inherit(bound)
    with pytest.raises(SocketMismatch, match=f'is at {bound}:{port}'):
        adopt(asked, port)


def test_socket_at_another_host_that_does_not_listen_is_ignored(inherit: Inherit) -> None:
    port = inherit(listening=False)
    assert adopt('0.0.0.0', port) is None


def test_dual_stack_socket_is_used_for_all_ipv4_addresses(inherit: Inherit) -> None:
    port = inherit('::')
    for host in ('0.0.0.0', '::'):
        sock = adopt(host, port)
        assert sock is not None
        sock.close()
    with pytest.raises(SocketMismatch):
        adopt('127.0.0.1', port)


def test_descriptors_other_than_tcp_sockets_are_ignored(inherit: Inherit) -> None:
    port = inherit(listening=False, kind=socket.SOCK_DGRAM)
    assert inherited_sockets() == []
    assert adopt('127.0.0.1', port) is None
    os.environ['LISTEN_FDS'] = '5'  # four of which are not open
    assert inherited_sockets() == []


def test_unused_sockets_are_reported(inherit: Inherit) -> None:
    used, unused = inherit(name='web'), inherit(name='admin')
    sock = adopt('127.0.0.1', used)
    assert sock is not None
    with sock:
        assert [str(each) for each in unused_sockets()] == [f'admin (127.0.0.1:{unused})']


def test_started_programs_inherit_no_sockets_unless_they_replace_the_process(
    inherit: Inherit,
) -> None:
    inherit()

    def inherits() -> bool:
        look = f'import os; os.fstat({_FIRST})'
        command = [sys.executable, '-I', '-S', '-c', look]
        done = subprocess.run(command, close_fds=False, capture_output=True, check=False)
        return done.returncode == 0

    inherited_sockets()
    assert not inherits()
    keep_open()
    assert inherits()


def test_process_that_the_sockets_are_not_for_gets_a_hint(
    inherit: Inherit, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert misdirected() == ''
    inherit()
    assert misdirected() == ''
    monkeypatch.setenv('LISTEN_PID', '1')
    assert 'are for process 1' in misdirected()


def test_calls_wait_at_an_inherited_socket_until_a_transport_listens(inherit: Inherit) -> None:
    port = inherit()
    endpoint = f'tcp://127.0.0.1:{port}'

    class Handler:
        up = 0

        def link_up(self, link: object) -> None:
            self.up += 1

        def message_arrived(self, link: object, frames: list[bytes]) -> None:
            pass

        def link_down(self, link: object, reason: str) -> None:
            pass

    caller, service, handler = ZmtpTransport(), ZmtpTransport(), Handler()
    try:
        caller.connect(endpoint, handler)
        gevent.sleep(1e-6)
        listener = service.listen(endpoint, Handler())
        assert listener.endpoint == endpoint
        eventually(lambda: handler.up, 10)
    finally:
        caller.close()
        service.close()
