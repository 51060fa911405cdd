from __future__ import annotations

import socket

import gevent
import pytest

from lymph.core.transport._zmtp.flusher import Flusher
from lymph.core.transport._zmtp.writer import HIGH_WATER, LOW_WATER, Writer
from lymph.core.transport.buffers import Buffers
from lymph.testing.waiting import eventually


class Owner:
    def __init__(self):
        self.failures, self.rooms = [], 0

    def write_failed(self, reason):
        self.failures.append(reason)

    def has_room(self):
        self.rooms += 1


class End:
    """A writer and the other end of its socket; with packets, each system call is one."""

    def __init__(self, kind):
        ours, self.theirs = socket.socketpair(socket.AF_UNIX, kind)
        for end in (ours, self.theirs):
            end.setblocking(False)
        self.ours, self.owner, self.flusher = ours, Owner(), Flusher()
        unsent = Buffers(2**30, 2**20).holding(self.owner.write_failed)
        self.writer = Writer(ours, self.flusher, self.owner, unsent)

    def received(self):
        found = []
        while True:
            try:
                data = self.theirs.recv(1_000_000)
            except BlockingIOError:
                return found
            if not data:
                return found
            found.append(data)


@pytest.fixture
def make():
    made = []

    def make(kind=socket.SOCK_STREAM):
        made.append(End(kind))
        return made[-1]

    yield make
    for end in made:
        end.writer.close()
        end.ours.close()
        end.theirs.close()


@pytest.fixture
def packets(make):
    return make(socket.SOCK_SEQPACKET)


def test_writes_of_one_loop_turn_are_sent_in_one_system_call(packets):
    for letter in (b'a', b'b', b'c'):
        packets.writer.write(letter)
    assert packets.received() == []
    gevent.sleep(0)
    packets.writer.write(b'd')
    gevent.sleep(0)
    assert packets.received() == [b'abc', b'd']


def test_writes_of_a_batch_are_sent_at_its_end(packets):
    packets.flusher.begin_batch()
    packets.writer.write(b'a')
    packets.writer.write(b'b')
    assert packets.received() == []
    packets.flusher.end_batch()
    assert packets.received() == [b'ab']
    packets.writer.write(b'c')
    gevent.sleep(0)
    assert packets.received() == [b'c']


def test_bytes_that_the_kernel_does_not_accept_are_sent_later_in_order(make):
    end = make()
    sent = [bytes([number % 256]) * (number * 7919 % 200_000) for number in range(100)]
    for data in sent:
        end.writer.write(data)
    assert end.writer.buffered == sum(map(len, sent))
    found = []
    eventually(lambda: found.extend(end.received()) or end.writer.buffered == 0)
    assert b''.join(found + end.received()) == b''.join(sent)
    assert end.owner.failures == []


def test_waiting_senders_resume_when_most_of_a_full_buffer_is_written(make):
    end, went_on = make(), []
    end.writer.write(bytes(2 * HIGH_WATER))
    waiting = [
        gevent.spawn(lambda: end.writer.wait_for_room(1) and went_on.append(end.writer.buffered))
        for _ in range(3)
    ]
    gevent.sleep(0)
    assert went_on == []
    eventually(lambda: end.received() and len(went_on) == 3)
    assert max(went_on) <= LOW_WATER
    assert end.owner.rooms == 1
    gevent.joinall(waiting)


def test_waiting_senders_resume_when_the_writer_is_closed(make):
    end = make()
    end.writer.write(bytes(2 * HIGH_WATER))
    waiting = gevent.spawn(end.writer.wait_for_room, 1)
    gevent.sleep(0)
    assert not waiting.dead
    end.writer.close()
    waiting.join(timeout=5)
    assert waiting.dead
    assert end.writer.buffered == 0


def test_broken_socket_is_reported_once(make):
    end = make()
    end.theirs.close()
    end.writer.write(b'x')
    eventually(lambda: end.owner.failures)
    assert end.owner.failures == ['write failed: Broken pipe']
