"""A service of HTTP and calls in a process of its own, for tests with hostile clients.

The argument is the section of the interface, as JSON. It prints its HTTP port and its endpoint for
calls. It ends when its standard input does.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import resource
import sys
import time

import gevent
from gevent.os import tp_read
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

import lymph
from lymph.config import Configuration
from lymph.core.assembly import build_container
from lymph.web.interfaces import WebServiceInterface


class Web(WebServiceInterface):
    """Answers requests, and tells what they have cost."""

    url_map = Map([Rule('/', endpoint='hello'), Rule('/echo', endpoint='size')])

    def on_start(self):
        super().on_start()
        self._longest = self._since = self._collecting = 0.0
        loop = gevent.get_hub().loop
        # A turn of the loop, from when it has waited until it waits again, in time of the
        # processor: what a call has to wait for, however busy the machine is. What Python's
        # garbage collector takes depends on everything in the process, and is left out.
        gc.callbacks.append(self._collect)
        self._watchers = loop.check(), loop.prepare()
        self._watchers[0].start(self._begin)
        self._watchers[1].start(self._end)

    def hello(self, request):
        return Response('hello')

    def size(self, request):
        return Response(str(len(request.get_data())))

    @lymph.rpc()
    def facts(self):
        """Return what is in use, and the longest turn of the loop since it was asked for.

        `memory` is what the kernel counts, in bytes; `blocks` are those of Python's allocator.
        """
        gc.collect()
        with open('/proc/self/statm') as file:
            memory = int(file.read().split()[1]) * resource.getpagesize()
        longest, self._longest = self._longest, 0.0
        self._since = time.thread_time()
        return {
            'memory': memory,
            'blocks': sys.getallocatedblocks(),
            'descriptors': len(os.listdir('/proc/self/fd')),
            'longest_turn': longest,
        }

    def _collect(self, phase, _info):
        now = time.thread_time()
        if phase == 'start':
            self._collecting = now
        else:
            self._since += now - self._collecting

    def _begin(self):
        self._since = time.thread_time()

    def _end(self):
        self._longest = max(self._longest, time.thread_time() - self._since)


def main(section):
    """Serve until the standard input ends."""
    logging.basicConfig(level=logging.ERROR)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    container = build_container(
        Configuration(
            {
                'container': {
                    'ip': '127.0.0.1',
                    'registry': {'class': 'static'},
                    'events': {'class': 'null'},
                    'trace': {'keep': 0},  # what has been done would count among what is in use
                },
                'interfaces': {'web': {'class': '__main__:Web', **section}},
            }
        )
    )
    container.start()
    (web,) = (each for each in container.interfaces if isinstance(each, Web))
    print(json.dumps([web.http_port, container.endpoint]), flush=True)
    tp_read(0, 1)
    container.stop()


if __name__ == '__main__':
    main(json.loads(sys.argv[1]))
