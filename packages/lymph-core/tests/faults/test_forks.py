"""A child forked from a service cannot use the resources of its parent."""

from __future__ import annotations

import os
import signal
import socket

import pytest

from lymph.core.transport.endpoints import split_tcp
from lymph.testing.waiting import eventually

REFUSAL = (
    'NotConnected no this container was made before a fork; make a new one in the child process'
)


@pytest.mark.parametrize('transport', ['zmtp', 'zeromq'])
@pytest.mark.parametrize('way', ['gevent', 'python'])
def test_forked_child_cannot_use_the_inherited_container_and_its_parent_is_unaffected(
    start, make_client, load, ask, tmp_path, way, nothing_left
):
    (parent,) = start()
    caller = make_client()
    calls = load(10, caller)
    calls.go_on()
    told = tmp_path / 'told'
    child = ask(parent, 'fork', way=way, stay=False, told=str(told))
    eventually(lambda: ended(child), 20)
    first, second, third, fourth, fresh = told.read_text().splitlines()
    assert [first, fourth] == [REFUSAL] * 2
    assert [second, third] == [REFUSAL.replace('this', f'{parent.endpoint}: this', 1)] * 2
    assert fresh == f"[{parent.pid}, 'new']"
    calls.go_on()
    calls.end()
    assert calls.failures() == []
    assert [known.pid for known in caller.container.lookup('work')] == [parent.pid]
    nothing_left(caller, parent)
    parent.stop()
    assert parent.ended() == 0


def test_forked_child_keeps_neither_port_nor_connections_nor_registration_of_a_killed_parent(
    start, client, ask, tmp_path, begin
):
    (parent,) = start()
    told = tmp_path / 'told'
    child = ask(parent, 'fork', way='gevent', stay=True, told=str(told))
    try:
        eventually(lambda: told.exists() and len(told.read_text().splitlines()) == 5, 20)
        connection = client.container.connect(parent.endpoint)
        os.kill(parent.pid, signal.SIGKILL)  # the child is in the same process group
        eventually(lambda: connection.state == 'down')
        eventually(lambda: client.container.discover() == set())
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(split_tcp(parent.endpoint))
        assert not ended(child)
    finally:
        os.kill(child, signal.SIGKILL)


def ended(pid):
    """Return whether a process has ended or is a zombie."""
    try:
        with open(f'/proc/{pid}/stat') as file:
            return file.read().rpartition(')')[2].split()[0] == 'Z'
    except FileNotFoundError:
        return True
