"""One side of a zeromq link, whose loop is blocked until it is given a line.

    blocked.py listener             prints its endpoint
    blocked.py caller ENDPOINT      says hello first

Then it prints how many messages it finds, or it has been ended by libzmq.
"""

from __future__ import annotations

import sys

from lymph.core.transport.zeromq import ZeromqTransport
from lymph.testing.contracts.transports import RecordingHandler
from lymph.testing.waiting import eventually


def main(side, *endpoint):
    transport = ZeromqTransport(heartbeat_interval=0.05, unresponsive_timeout=30)
    handler = RecordingHandler()
    if side == 'listener':
        print(transport.listen('tcp://127.0.0.1:0', handler).endpoint, flush=True)
    else:
        link = transport.connect(*endpoint, handler)
        eventually(lambda: link.up, 10)
        link.send([b'hello'])
    sys.stdin.readline()
    eventually(lambda: len(handler.messages) >= 1000, 10)
    eventually(lambda: handler.downs, 20)
    print(len(handler.messages), flush=True)
    transport.close()


main(*sys.argv[1:])
