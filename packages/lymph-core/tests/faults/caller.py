"""The program of a calling process in tests between hosts: it records every outcome.

Arguments: configuration file, number of callers, timeout of a call in seconds, and the file to
which a line of JSON is written for each call. On SIGTERM, the process waits for its calls in
flight and ends.
"""

from __future__ import annotations

import json
import signal
import sys
import time

import gevent

from lymph.client import Client
from lymph.config import Configuration
from lymph.exceptions import RpcError


def main():
    path, callers, timeout, written = sys.argv[1:]
    config = Configuration()
    config.load_file(path)
    ending = gevent.event.Event()
    gevent.signal_handler(signal.SIGTERM, ending.set)

    def call_again_and_again(client, file):
        while not ending.is_set():
            began, pid, error = time.monotonic(), None, None
            try:
                body = {'token': 1, 'seconds': 0.005}
                pid, _ = client.request('work', 'work.do', body, timeout=float(timeout))
            except RpcError as failure:
                error = [type(failure).__name__, failure.executed, str(failure)]
            outcome = {'began': began, 'ended': time.monotonic(), 'pid': pid, 'error': error}
            file.write(json.dumps(outcome) + '\n')

    with Client.from_config(config) as client, open(written, 'w', buffering=1) as file:
        calling = [gevent.spawn(call_again_and_again, client, file) for _ in range(int(callers))]
        gevent.joinall(calling, raise_error=True)
