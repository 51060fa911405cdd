"""What the processes of the fault tests run: an interface that is called, and one that calls it."""

from __future__ import annotations

import os

import gevent
from gevent.monkey import get_original
from kazoo.client import KazooClient
from kazoo.handlers.gevent import SequentialGeventHandler

import lymph
from lymph.exceptions import RpcError

_block = get_original('time', 'sleep')

_CALLERS = 10
_TIMEOUT = 2.0  # seconds of a call
_PAUSE = 0.02  # seconds between two calls of one caller


class Work(lymph.Interface):
    """Is called."""

    @lymph.rpc()
    def do(self):
        """Return the process id, after a moment."""
        gevent.sleep(0.005)
        return os.getpid()

    @lymph.rpc()
    def block_the_loop(self, seconds):
        """Block the event loop."""
        _block(seconds)

    @lymph.rpc()
    def end_session(self):
        """End the session with ZooKeeper, as a server does after missed heartbeats."""
        client = self.container.registry._session.client
        thief = KazooClient(
            ','.join(f'{host}:{port}' for host, port in client.hosts),
            client_id=client.client_id,
            handler=SequentialGeventHandler(),
        )
        thief.start()
        thief.stop()
        thief.close()


class Caller(Work):
    """Calls ``work.do`` all the time."""

    def on_start(self):
        self.calls = 0
        self.answered = set()
        self.failures = []
        for _ in range(_CALLERS):
            self.spawn(self._call_again_and_again)

    @lymph.rpc()
    def report(self):
        """Return the outcomes of all calls, and which processes answered since the last report."""
        answered, self.answered = self.answered, set()
        return {'calls': self.calls, 'answered': answered, 'failures': self.failures}

    @lymph.rpc()
    def known(self):
        """Return the processes of the live view of ``work``."""
        return {instance.pid for instance in self.container.lookup('work')}

    @lymph.rpc()
    def discovered(self):
        """Return the services that the registry discovers."""
        return self.container.discover()

    def _call_again_and_again(self):
        while not self.container.draining:
            try:
                self.answered.add(self.request('work', 'work.do', timeout=_TIMEOUT))
            except RpcError as error:
                self.failures.append([type(error).__name__, error.executed, str(error)])
            self.calls += 1
            gevent.sleep(_PAUSE)
