"""Free ports: bindable, and out of the way of outgoing connections."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from lymph.testing._servers import ports


def listening_on(port: int) -> bool:
    """Tell whether this process can listen on a port, and ask the port itself."""
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', port))
        listener.listen()
        with socket.create_connection(('127.0.0.1', port), timeout=10) as client:
            return bool(client.getpeername() == ('127.0.0.1', port))


def test_a_free_port_can_be_listened_on() -> None:
    assert listening_on(ports.free_port())


def test_port_in_use_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_any_free_port_is_used_if_none_is_below_the_outgoing_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ephemeral = tmp_path / 'range'
    ephemeral.write_text('1024\t65535\n')
    monkeypatch.setattr(ports, '_EPHEMERAL', ephemeral)
    assert listening_on(ports.free_port())
