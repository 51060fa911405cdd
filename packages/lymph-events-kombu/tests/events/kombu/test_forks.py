"""A forked child can neither use nor disturb the connections of its parent."""

from __future__ import annotations

import secrets
import subprocess
import sys

import pytest

PROGRAM = """
import sys, gevent, gevent.os
from lymph.config import Configuration
from lymph.core.events import Event
from lymph.events.base import Subscription
from lymph.events.kombu import KombuEventSystem
from lymph.exceptions import EmitFailure, SubscriptionError

url, name = sys.argv[1:]
config = Configuration({'events': {'urls': url, 'heartbeat': 1}})
system = KombuEventSystem.from_config(config.view('events'))
system.on_start()
handled = []
system.subscribe(Subscription(name, (name,), lambda event: handled.append(event['n'])))
system.emit(Event(name, {'n': 1}))

pid = gevent.os.fork()
if pid == 0:
    try:
        system.emit(Event(name, {'n': 'child'}))
    except EmitFailure as error:
        print(error, flush=True)
    try:
        system.subscribe(Subscription('other', (name,), print))
    except SubscriptionError as error:
        print(error, flush=True)
    gevent.sleep(2.5)  # longer than the limits for silence and for missing heartbeats
    system.on_stop()
    gevent.os.os._exit(0)

for n in range(2, 30):
    system.emit(Event(name, {'n': n}))
    gevent.sleep(0.1)
gevent.os.waitpid(pid, 0)
system.emit(Event(name, {'n': 30}))
with gevent.Timeout(10):
    while len(handled) < 30:
        gevent.sleep(0.01)
print(*handled)
system.on_stop()
"""


@pytest.mark.parametrize('server', ['rabbitmq_server', 'redis_server'])
def test_forked_child_is_rejected_and_its_parent_keeps_working(
    request: pytest.FixtureRequest, server: str
) -> None:
    name, url = f't{secrets.token_hex(6)}', request.getfixturevalue(server).url
    done = subprocess.run(
        [sys.executable, '-c', PROGRAM, url, name], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    emit, subscribe, handled = done.stdout.splitlines()
    assert f'{name} was not emitted: this event system was made before a fork' in emit
    assert 'other: this event system was made before a fork' in subscribe
    assert handled.split() == [str(n) for n in range(1, 31)]
    assert 'lost the connection' not in done.stderr
