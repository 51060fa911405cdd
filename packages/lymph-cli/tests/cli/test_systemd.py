"""Notifications to systemd through `NOTIFY_SOCKET`, over real datagram sockets."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gevent.monkey import get_original

from lymph.cli._running.systemd import VARIABLES, Notifier
from lymph.testing.waiting import eventually, let_pass

PATIENCE = 30.0


class Systemd:
    """A datagram socket that is read only where a test does so."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f'\0{address[1:]}' if address.startswith('@') else address)
        self.socket.setblocking(False)

    def told(self) -> list[bytes]:
        messages = []
        try:
            while True:
                messages.append(self.socket.recv(4096))
        except BlockingIOError:
            return messages


@pytest.fixture(params=['path', 'abstract'])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / 'notify') if request.param == 'path' else f'@lymph-test-{os.getpid()}'


@pytest.fixture
def systemd(address: str) -> Iterator[Systemd]:
    listening = Systemd(address)
    yield listening
    listening.socket.close()


Taken = Callable[..., Notifier]


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Taken:
    def taken(*values: str) -> Notifier:
        for name in VARIABLES:
            monkeypatch.delenv(name, raising=False)
        for name, value in zip(VARIABLES, values, strict=False):
            monkeypatch.setenv(name, value)
        notifier = Notifier.from_environ()
        assert not set(VARIABLES) & set(os.environ)
        assert notifier.taken in ({}, dict(zip(VARIABLES, values, strict=False)))
        return notifier

    return taken


def test_facts_arrive_in_one_message_with_each_on_one_line(
    taken: Taken, systemd: Systemd, address: str
) -> None:
    notifier = taken(address)
    notifier.tell('READY=1', 'STATUS=echo\nREADY=0')
    notifier.watch()
    notifier.tell('STOPPING=1')
    assert systemd.told() == [b'READY=1\nSTATUS=echo READY=0', b'STOPPING=1']


@pytest.mark.parametrize('address', ['path'], indirect=True)
def test_watchdog_is_notified_while_the_loop_turns(
    taken: Taken, systemd: Systemd, address: str
) -> None:
    taken(address, '40000', str(os.getpid())).watch()
    heard: list[bytes] = []

    def told_often() -> bool:
        heard.extend(systemd.told())
        return len(heard) >= 3

    eventually(told_often, PATIENCE)
    assert set(heard) == {b'WATCHDOG=1'}
    systemd.told()
    get_original('time', 'sleep')(0.2)  # five times as long as systemd waits
    assert systemd.told() == []
    eventually(lambda: b'WATCHDOG=1' in systemd.told(), PATIENCE)


@pytest.mark.parametrize('address', ['path'], indirect=True)
@pytest.mark.parametrize('process', ['1', 'x', str(os.getppid())])
def test_watchdog_of_another_process_is_not_notified(
    taken: Taken, systemd: Systemd, address: str, process: str
) -> None:
    taken(address, '40000', process).watch()
    let_pass(0.05, 'longer than the period of the watchdog, which must not be told')
    assert systemd.told() == []


@pytest.mark.parametrize('address', ['path'], indirect=True)
@pytest.mark.parametrize('period', ['0', '-1', 'soon', '1.5', '9' * 40])
def test_invalid_watchdog_time_is_one_line_and_disables_the_watchdog(
    taken: Taken, systemd: Systemd, address: str, capsys: pytest.CaptureFixture[str], period: str
) -> None:
    notifier = taken(address, period)
    notifier.tell('READY=1')
    notifier.watch()
    assert systemd.told() == [b'READY=1']
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith('WATCHDOG_USEC: expected a number of microseconds')


@pytest.mark.parametrize('value', ['vsock:2:1234', 'run/notify', '@', '/', '/nowhere/notify'])
def test_invalid_notify_socket_is_one_line_and_has_no_effect(
    taken: Taken, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    notifier = taken(value, '1000')
    notifier.tell('READY=1')
    notifier.watch()
    notifier.tell('STOPPING=1')
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith('NOTIFY_SOCKET: ')


def test_notification_that_does_not_fit_is_sent_later_without_blocking(
    taken: Taken, systemd: Systemd, address: str
) -> None:
    notifier = taken(address)
    sent = 0
    while not notifier._waiting:
        notifier.tell(f'STATUS={sent}')
        sent += 1
    notifier.tell('STOPPING=1')
    heard: list[bytes] = systemd.told()
    assert len(heard) < sent + 1

    def all_arrived() -> bool:
        heard.extend(systemd.told())
        return len(heard) == sent + 1

    eventually(all_arrived, PATIENCE)
    assert heard[-1] == b'STOPPING=1'


@pytest.mark.parametrize('address', ['path'], indirect=True)
def test_forked_child_sends_no_notifications(taken: Taken, systemd: Systemd, address: str) -> None:
    notifier = taken(address)
    child = os.fork()
    if child == 0:
        notifier.tell('STOPPING=1')
        os._exit(0)
    os.waitpid(child, 0)
    assert systemd.told() == []
    notifier.tell('READY=1')
    assert systemd.told() == [b'READY=1']


def test_without_a_notify_socket_nothing_is_sent(
    taken: Taken, capsys: pytest.CaptureFixture[str]
) -> None:
    notifier = taken()
    notifier.tell('READY=1')
    notifier.watch()
    assert capsys.readouterr().err == ''
