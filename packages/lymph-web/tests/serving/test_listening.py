"""Listening sockets: IPv4 and IPv6, files of unix sockets, and ports that several sockets share."""

from __future__ import annotations

import errno
import os
import socket as stdlib_socket
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import gevent
import pytest
from gevent import socket

from lymph.core._system import inherited
from lymph.web._serving.listening import ListeningSocket, listen_at_file, listen_at_port
from lymph.web._serving.socket_files import LONGEST_PATH

WAIT = 10.0  # longer than anything here takes
_DESCRIPTOR = 720  # which nothing else in a test run has


@pytest.fixture
def listen() -> Iterator[Callable[..., ListeningSocket]]:
    """Return `listen_at_port` or `listen_at_file`, as the first argument needs."""
    made: list[ListeningSocket] = []

    def start(where: str | Path, number: int = 0, **options: bool) -> ListeningSocket:
        if isinstance(where, Path):
            made.append(listen_at_file(str(where), number or 0o660))
        else:
            made.append(listen_at_port(where, number, **options))
        return made[-1]

    yield start
    for each in made:
        each.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / 'web.sock'


def reaches(family: int, address: object) -> bool:
    with socket.socket(family) as sock:
        sock.settimeout(WAIT)
        try:
            sock.connect(address)
        except OSError:
            return False
        return True


def accepted(listening: ListeningSocket) -> int:
    """Accept all that waits; return how many connections that were."""
    count = 0
    with suppress(BlockingIOError):
        while True:
            listening.socket.accept()[0].close()
            count += 1
    return count


@pytest.mark.parametrize(
    ('host', 'families'),
    [
        ('127.0.0.1', (socket.AF_INET,)),
        ('::1', (socket.AF_INET6,)),
        ('::', (socket.AF_INET, socket.AF_INET6)),
        ('0.0.0.0', (socket.AF_INET,)),
        ('localhost', (socket.AF_INET,)),
    ],
)
def test_clients_of_the_families_of_an_address_are_accepted(listen, host, families):
    listening = listen(host)
    hosts = {socket.AF_INET: '127.0.0.1', socket.AF_INET6: '::1'}
    for family, loopback in hosts.items():
        assert reaches(family, (loopback, listening.port)) is (family in families)
    assert accepted(listening) == len(families)


def test_port_in_use_and_address_of_another_machine_are_errors(listen):
    port = listen('127.0.0.1').port
    for host, number, expected in (
        ('127.0.0.1', port, errno.EADDRINUSE),
        ('203.0.113.1', 0, errno.EADDRNOTAVAIL),
    ):
        for options in ({}, {'reuse_port': True}):
            with pytest.raises(OSError, match=os.strerror(expected)) as caught:
                listen(host, number, **options)
            assert caught.value.errno == expected


def test_accepted_sockets_send_small_answers_without_delay(listen):
    listening = listen('127.0.0.1')
    with socket.create_connection(('127.0.0.1', listening.port), timeout=WAIT):
        sock, _ = listening.socket.accept()
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        sock.close()


def test_sockets_with_reuse_port_share_new_connections(listen):
    one = listen('127.0.0.1', reuse_port=True)
    other = listen('127.0.0.1', one.port, reuse_port=True)
    assert all(reaches(socket.AF_INET, ('127.0.0.1', one.port)) for _ in range(40))
    counts = accepted(one), accepted(other)
    assert sum(counts) == 40
    assert min(counts) > 0


def test_clients_turned_away_reach_another_socket_of_the_port(listen):
    hosts = {'127.0.0.1': socket.AF_INET, '::1': socket.AF_INET6}
    ending = [listen(host, reuse_port=True) for host in hosts]
    others = [
        listen(host, one.port, reuse_port=True) for host, one in zip(hosts, ending, strict=True)
    ]
    for one in ending:
        one.turn_away()
    clients = [
        gevent.spawn(reaches, family, (host, one.port))
        for (host, family), one in zip(hosts.items(), ending, strict=True)
        for _ in range(16)
    ]
    gevent.joinall(clients, timeout=0.1)  # those of the other socket; the others begin again
    assert [accepted(one) for one in ending] == [0, 0]
    for one in ending:
        one.close()
    gevent.joinall(clients, timeout=WAIT)
    assert all(client.value for client in clients)
    assert [accepted(other) for other in others] == [16, 16]


def test_established_connections_of_a_socket_that_turns_clients_away_go_on(listen):
    listening = listen('127.0.0.1', reuse_port=True)
    with socket.create_connection(('127.0.0.1', listening.port), timeout=WAIT) as client:
        listening.turn_away()
        sock, _ = listening.socket.accept()
        with sock:
            client.sendall(b'x' * 100)
            sock.settimeout(WAIT)
            assert sock.recv(100) == b'x' * 100


def test_socket_file_has_its_mode_and_goes_with_the_socket(listen, path):
    before = os.umask(0o077)
    try:
        listening = listen(path, 0o666)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    assert listening.port is None
    assert reaches(socket.AF_UNIX, str(path))
    listening.close()
    assert not path.exists()


def test_file_of_a_socket_where_nobody_listens_is_replaced(listen, path):
    with stdlib_socket.socket(stdlib_socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()
    assert not reaches(socket.AF_UNIX, str(path))
    listen(path)
    assert reaches(socket.AF_UNIX, str(path))


def test_socket_file_in_use_is_left_alone_also_if_its_queue_is_full(listen, path):
    with stdlib_socket.socket(stdlib_socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen(0)
        for _ in range(2):  # the first fills the queue
            with pytest.raises(OSError, match='in use') as caught:
                listen(path)
            assert caught.value.errno == errno.EADDRINUSE
    assert path.exists()


def test_file_that_is_no_socket_is_left_alone(listen, path):
    path.write_text('precious')
    with pytest.raises(FileExistsError, match='not a socket'):
        listen(path)
    assert path.read_text() == 'precious'


def test_file_of_another_socket_is_not_removed(listen, path):
    listening = listen(path)
    path.unlink()
    listen(path)
    listening.close()
    assert reaches(socket.AF_UNIX, str(path))


def test_path_without_its_folder_or_too_long_is_an_error(listen, path):
    with pytest.raises(FileNotFoundError):
        listen(path / 'deeper.sock')
    longest = path.parent / ('x' * (LONGEST_PATH - len(str(path.parent)) - 1))
    if len(str(path.parent)) < LONGEST_PATH:
        listen(longest)
    with pytest.raises(OSError, match='too long'):
        listen(longest.with_name(longest.name + 'x'))


@pytest.mark.parametrize('kind', ['file', 'port'])
def test_inherited_socket_is_used_and_stays_open(listen, path, kind, monkeypatch):
    family = stdlib_socket.AF_UNIX if kind == 'file' else stdlib_socket.AF_INET
    with stdlib_socket.socket(family) as made:
        made.bind(str(path) if kind == 'file' else ('127.0.0.1', 0))
        made.listen()
        address = made.getsockname()
        os.dup2(made.fileno(), _DESCRIPTOR)
        monkeypatch.setattr(inherited, 'FIRST_DESCRIPTOR', _DESCRIPTOR)
        monkeypatch.setenv('LISTEN_FDS', '1')
        monkeypatch.setenv('LISTEN_PID', str(os.getpid()))
        where = (path,) if kind == 'file' else address
        listening = listen(*where)
        try:
            assert listening.shared
            assert reaches(family, address)
            assert accepted(listening) == 1
            with pytest.raises(OSError, match='in use'):
                listen(*where)
            listening.turn_away()
            listening.close()
            assert reaches(family, address)
            assert path.exists() is (kind == 'file')
        finally:
            os.close(_DESCRIPTOR)
