from __future__ import annotations

import os

import pytest

from lymph.core.transport._zeromq.descriptors import inode_of, peer_of, shut_down


def descriptors():
    return sorted(os.listdir('/proc/self/fd'))


@pytest.fixture(params=['file', 'pipe', 'closed'])
def no_connection(request):
    """A descriptor that was a connection of libzmq's until it was reused."""
    reading, writing = os.pipe()
    descriptor = os.open(os.devnull, os.O_RDONLY)
    if request.param == 'closed':
        os.close(descriptor)
    yield reading if request.param == 'pipe' else descriptor
    os.close(reading)
    os.close(writing)
    if request.param != 'closed':
        os.close(descriptor)


def test_closed_connection_has_no_peer_and_leaves_no_descriptor(no_connection):
    before = descriptors()
    assert peer_of(no_connection) is None
    assert descriptors() == before


def test_closed_connection_is_not_changed(no_connection):
    before, inode = descriptors(), inode_of(no_connection)
    shut_down(no_connection, inode)
    assert descriptors() == before
    assert inode_of(no_connection) == inode
