"""Free ports: bindable, and out of the way of outgoing connections."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from lymph.testing.servers import ports


def test_a_free_port_can_be_listened_on() -> None:
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', ports.free_port()))
        listener.listen()


def test_a_port_that_is_taken_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        listener.listen()
        taken = listener.getsockname()[1]
        free = ports.free_port()
        monkeypatch.setattr(ports.random, 'sample', lambda population, k: [taken, free])
        assert ports.free_port() == free


def test_no_outgoing_connection_is_given_a_free_port(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ephemeral = tmp_path / 'range'
    ephemeral.write_text('10050\t60999\n')
    monkeypatch.setattr(ports, '_EPHEMERAL', ephemeral)
    assert all(10000 <= ports.free_port() < 10050 for _ in range(20))


def test_without_room_below_the_outgoing_ports_any_free_port_will_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ephemeral = tmp_path / 'range'
    ephemeral.write_text('1024\t65535\n')
    monkeypatch.setattr(ports, '_EPHEMERAL', ephemeral)
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', ports.free_port()))
        listener.listen()
