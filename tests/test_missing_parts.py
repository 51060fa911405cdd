"""Private parts of other libraries that are missing or changed: one warning each, and lymph works.

One process changes all of them before lymph is imported.
"""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, logging

import amqp, redis, zmq.backend
from gevent import events, hub
from kazoo.client import KazooClient
from kazoo.protocol.connection import ConnectionHandler

told = []
logging.getLogger('lymph').addHandler(handler := logging.Handler())
handler.emit = lambda record: told.append((record.levelname, record.getMessage()))

notify = events.notify_and_call_entry_points
events.notify_and_call_entry_points = lambda *event: notify(*event)
print_exception = hub.Hub.print_exception
hub.Hub.print_exception = lambda self, *args: print_exception(self, *args)
del zmq.backend.Socket
del ConnectionHandler._expand_client_hosts
init = KazooClient.__init__
KazooClient.__init__ = lambda self, *args, **kwargs: init(self, *args, **kwargs)
del amqp.Connection.Transport
redis.Connection._connect = lambda *self: None

from lymph.monkey import patch
patch()
import socket
import gevent.socket
from lymph.cli._program.hub_errors import log_hub_errors
log_hub_errors()
from lymph.core.transport._zeromq.context import Socket
from lymph.discovery.zookeeper._client import hosts, session, severing
from lymph.events.kombu._rabbitmq.channels import AmqpConnection
from lymph.events.kombu._rabbitmq.fast_channels import AmqpTransport
from lymph.events.kombu._redis.connections import PublicConnection, RedisConnection

public = {
    'gevent is patched': socket.socket is gevent.socket.socket,
    'errors of greenlets are printed': 'print_exception' not in vars(hub.get_hub()),
    'zeromq': Socket is zmq.Socket,
    'amqp': AmqpTransport.Connection is AmqpConnection,
    'redis': RedisConnection is PublicConnection,
}
print(json.dumps([told, public]))
"""

PARTS = [
    ('gevent', 'events.notify_and_call_entry_points'),
    ('gevent', 'Hub.print_exception'),
    ('pyzmq', 'backend.Socket'),
    ('kazoo', 'ConnectionHandler._expand_client_hosts'),
    ('kazoo', 'KazooClient._stopped, ConnectionHandler._socket'),
    ('kazoo', 'KazooClient._session_timeout'),
    ('amqp', 'Connection.Transport, frame_handler and dispatch_method'),
    ('redis', 'Connection._connect'),
]


@pytest.fixture(scope='module')
def outcome() -> tuple[list[list[str]], dict[str, bool]]:
    """The log, and which public alternatives are in use."""
    done = subprocess.run(
        [sys.executable, '-c', PROGRAM], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr[-4000:]
    told, public = json.loads(done.stdout)
    return told, public


@pytest.mark.parametrize(('library', 'part'), PARTS, ids=str)
def test_missing_part_is_one_warning_that_says_what_to_install(
    library: str, part: str, outcome: tuple[list[list[str]], dict[str, bool]]
) -> None:
    told, _ = outcome
    begin = f'{library} {importlib.metadata.version(library)}: {part} is not as expected'
    ((level, text),) = [each for each in told if each[1].startswith(begin)]
    assert level == 'WARNING'
    assert 'the slower way of public names; install a version' in text


def test_missing_parts_cause_no_other_message(
    outcome: tuple[list[list[str]], dict[str, bool]],
) -> None:
    assert len(outcome[0]) == len(PARTS)


def test_public_ways_are_used_where_parts_are_missing(
    outcome: tuple[list[list[str]], dict[str, bool]],
) -> None:
    assert outcome[1] == dict.fromkeys(outcome[1], True)
