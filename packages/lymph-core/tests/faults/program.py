"""The program of a service process in the fault tests: an interface with faults on request.

SIGTERM drains the process and a second one stops it at once. The exit status is 1 if a handler was
killed, otherwise 0.
"""

from __future__ import annotations

import gc
import logging
import os
import resource
import signal
import sys
import time

import gevent
from gevent.event import Event
from gevent.monkey import get_original

import lymph
from lymph.client import Client
from lymph.config import Configuration
from lymph.core._loop import deadlines
from lymph.core.assembly import build_container
from lymph.exceptions import RpcError

_block = get_original('time', 'sleep')
_fork = {'gevent': os.fork, 'python': get_original('os', 'fork')}


def greenlets():
    """Return the number of live greenlets, without idle ones that wait for the next handler."""
    gc.collect()
    return sum(
        isinstance(thing, gevent.Greenlet) and bool(thing) and type(thing).__name__ != '_Worker'
        for thing in gc.get_objects()
    )


class Work(lymph.Interface):
    """Performs the faults that a test asks for and records what it did."""

    def on_start(self):
        self.ran = []
        self.now = self.most = 0
        self.taken = 0
        self.ended = []

    @lymph.rpc()
    def do(self, token, seconds=0):
        """Sleep for `seconds` without blocking the loop; return the process id and the token."""
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if seconds:
                gevent.sleep(seconds)
        finally:
            self.now -= 1
        return [os.getpid(), token]

    @lymph.raw_rpc()
    def crash(self, channel, answered):
        """Kill this process, before or after the answer is sent."""
        if answered:
            channel.reply(os.getpid())
            gevent.sleep(0)  # what a turn of the loop writes leaves at its end
        os.kill(os.getpid(), signal.SIGKILL)

    @lymph.rpc()
    def block_the_loop(self, seconds):
        """Block the event loop for `seconds`."""
        _block(seconds)
        return os.getpid()

    @lymph.rpc()
    def relay(self, path, pause):
        """Pause, then call the first service of `path` with the rest of it."""
        self.ran.append(deadlines.current() - time.monotonic())
        gevent.sleep(pause)
        if path:
            self.request(path[0], f'{path[0]}.relay', {'path': path[1:], 'pause': pause})

    @lymph.rpc(cancel=True)
    def cancellable_steps(self, count, path=()):
        """Take steps of 0.1 s after the next service of `path` has taken its own."""
        self._take_steps(count, path)

    @lymph.rpc(cancel=False)
    def shielded_steps(self, count, path=()):
        """Do the same to the end."""
        self._take_steps(count, path)

    @lymph.rpc()
    def steps(self, count, path=()):
        """Do the same to the end unless the container is set otherwise."""
        self._take_steps(count, path)

    def _take_steps(self, count, path):
        self.taken = 0
        outcome = 'nothing'
        try:
            if path:
                body = {'count': count, 'path': path[1:]}
                self.request(path[0], f'{path[0]}.cancellable_steps', body, timeout=60)
            while self.taken < count:
                gevent.sleep(0.1)
                self.taken += 1
            outcome = 'given up' if lymph.given_up() else 'returned'
        except BaseException as error:
            outcome = type(error).__name__
            raise
        finally:
            self.ended.append(outcome)
            logging.info('%s.steps ended with %s', self.name, outcome)

    @lymph.rpc(cancel=True)
    def wait(self):
        """Wait until it is cancelled."""
        Event().wait()

    @lymph.rpc()
    def history(self):
        """Return the remaining time of each call of `relay` and the maximum of concurrent `do`.

        Also the number of steps that were taken last, and how the calls that took steps ended.
        """
        return {
            'budgets': self.ran,
            'most': self.most,
            'taken': self.taken,
            'ended': self.ended,
        }

    @lymph.rpc()
    def census(self):
        """Return the numbers that would grow with a leak."""
        return {
            'descriptors': len(os.listdir('/proc/self/fd')),
            'greenlets': greenlets(),
            'handlers': self.container.workers.running,
            'callers': self.container.status()['callers'],
            'pending': [link['pending'] for link in self.container.rpc.stats()['connections']],
        }

    @lymph.rpc()
    def memory(self):
        """Return the resident memory in bytes."""
        gc.collect()
        with open('/proc/self/statm') as file:
            return int(file.read().split()[1]) * resource.getpagesize()

    @lymph.rpc()
    def fork(self, way, stay, told):
        """Fork a child that uses the inherited container and one of its own; return its pid.

        The child writes the outcomes to the file `told`. With `stay`, it runs until it is killed.
        """
        pid = _fork[way]()
        if pid:
            return pid
        try:
            with open(told, 'w', buffering=1) as file:
                self._tell_of_the_child(file)
            while stay:
                signal.pause()
        finally:
            os._exit(0)

    def _tell_of_the_child(self, file):
        endpoint = self.container.endpoint
        for call in (
            lambda: self.request(self.name, f'{self.name}.do', {'token': 1}),
            lambda: self.request(endpoint, f'{self.name}.do', {'token': 1}),
            lambda: self.container.connect(endpoint),
            lambda: self.container.lookup(self.name),
        ):
            try:
                print('done', call(), file=file)
            except RpcError as error:
                print(type(error).__name__, error.executed, error, file=file)
        self.container.drain()
        self.container.stop()
        with Client.from_config(configuration()) as client:
            print(client.request(self.name, f'{self.name}.do', {'token': 'new'}), file=file)


def configuration():
    """Return the configuration that is named on the command line."""
    config = Configuration()
    config.load_file(sys.argv[1])
    return config


def main():
    logging.basicConfig(level=logging.INFO)
    container = build_container(configuration())
    asked, insisted = Event(), Event()

    def hear(*_):
        (insisted if asked.is_set() else asked).set()

    gevent.signal_handler(signal.SIGTERM, hear)
    container.start()
    asked.wait()
    drained = gevent.spawn(container.drain)
    gevent.wait([drained, insisted], count=1)
    if drained.ready():
        cut = drained.get()
    else:
        drained.kill()
        cut = container.stop()
    sys.exit(1 if cut else 0)
