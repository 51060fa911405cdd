"""Peers that fill the queue of a side whose loop is blocked, and leave: libzmq survives it."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest
import zmq

from lymph.testing.waiting import let_pass

PROGRAM = pathlib.Path(__file__).with_name('blocked.py')
MANY = 20_000  # more than libzmq's bounds and the kernel's buffers hold
HEARTBEATS = 10 * 0.05  # seconds


@pytest.fixture
def blocked():
    """Start one side of a link in a process of its own."""
    started = []

    def blocked(*arguments):
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield blocked
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def raw():
    """Make plain sockets of pyzmq."""
    context, made = zmq.Context(), []

    def raw(kind):
        made.append(context.socket(kind))
        made[-1].set(zmq.SNDTIMEO, 500)
        made[-1].set(zmq.RCVTIMEO, 20_000)
        return made[-1]

    yield raw
    for sock in made:
        sock.close(0)
    context.term()


def fill(sock, *address):
    """Send until nothing more can be sent."""
    try:
        for _ in range(MANY):
            sock.send_multipart([*address, bytes(1000)])
    except zmq.Again:
        pass


def found_by(process):
    process.stdin.write('\n')
    process.stdin.flush()
    return int(process.stdout.readline() or -1)


def test_caller_that_leaves_a_full_queue_does_not_stop_the_service(blocked, raw):
    service = blocked('listener')
    caller = raw(zmq.DEALER)
    caller.connect(service.stdout.readline().strip())
    fill(caller)
    caller.close(0)
    let_pass(HEARTBEATS, 'libzmq notices the end while the other loop is blocked')
    assert found_by(service) >= 1000


def test_service_that_leaves_many_replies_does_not_stop_its_caller(blocked, raw):
    service = raw(zmq.ROUTER)
    port = service.bind_to_random_port('tcp://127.0.0.1')
    caller = blocked('caller', f'tcp://127.0.0.1:{port}')
    fill(service, service.recv_multipart()[0])
    service.close(0)
    let_pass(HEARTBEATS, 'libzmq notices the end while the other loop is blocked')
    assert found_by(caller) >= 1000
