"""A consumer in its own process, which fails an event and is killed in a later attempt.

python -m lymph.testing.contracts._events.lost_consumer SECTION SUBSCRIPTION ATTEMPT

SECTION is the section `container.events` and SUBSCRIPTION the arguments of a Subscription, both as
JSON. Each attempt before number ATTEMPT fails; in that one the process kills itself with SIGKILL.
"""

from __future__ import annotations

import json
import os
import signal
import sys

import gevent

from lymph.config import Configuration
from lymph.core.events import Event
from lymph.events.base import BaseEventSystem, Subscription

_PATIENCE = 60.0  # seconds, after which the process ends by itself


def main(section: str, subscription: str, attempt: str) -> None:
    """Consume until killed; the handler raises RuntimeError in each earlier attempt.

    The arguments are those of the command line.
    """
    last = int(attempt)

    def handle(event: Event) -> None:
        if event.attempt >= last:
            os.kill(os.getpid(), signal.SIGKILL)
        raise RuntimeError('not yet')

    config = Configuration({'events': json.loads(section)})
    system: BaseEventSystem = config.create_instance('events', group='lymph.events')
    system.on_start()
    options = json.loads(subscription)
    system.subscribe(Subscription(handler=handle, **options))
    gevent.sleep(_PATIENCE)


if __name__ == '__main__':
    main(*sys.argv[1:])
