"""An emitter or a consumer that kills itself at a step of its work.

program.py emit STEP URL QUEUE TOPIC       prints each number whose emit has returned
program.py consume STEP URL QUEUE TOPIC    prints each number that it has handled
"""

from __future__ import annotations

import os
import signal
import sys
from functools import wraps

import gevent

from lymph.config import Configuration
from lymph.core.events import Event
from lymph.core.workers import Workers
from lymph.events.backoff import Backoff
from lymph.events.base import Subscription
from lymph.events.kombu import KombuEventSystem
from lymph.events.kombu._rabbitmq.consuming_channels import AmqpDelivery
from lymph.events.kombu._rabbitmq.failures import Failures
from lymph.events.kombu._rabbitmq.fast_channels import FastAmqpChannel
from lymph.events.kombu._rabbitmq.outbox import Outbox

_COUNT = 6  # the step is reached this often before it kills


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def die_before(owner, name, after=_COUNT):
    """Kill the process at the beginning of the `after`-th call of a method."""
    original, calls = getattr(owner, name), [0]

    @wraps(original)
    def method(self, *arguments, **keywords):
        calls[0] += 1
        if calls[0] >= after:
            die()
        return original(self, *arguments, **keywords)

    setattr(owner, name, method)


STEPS = {
    # of an emitter
    'before the publish': lambda: die_before(FastAmqpChannel, 'send'),
    'before the confirm is read': lambda: die_before(Outbox, 'acked'),
    # of a consumer
    'in the handler': lambda: None,
    'before the acknowledgement': lambda: die_before(AmqpDelivery, 'acknowledge'),
    'before the publish for a retry': lambda: die_before(Failures, 'retry', after=1),
    'between the publish for a retry and the acknowledgement': lambda: die_before(
        AmqpDelivery, 'acknowledge'
    ),
    'between the publish of a dead letter and the acknowledgement': lambda: die_before(
        AmqpDelivery, 'acknowledge'
    ),
}


def start(url):
    config = Configuration({'events': {'urls': url, 'prefetch': 1}})
    system = KombuEventSystem.from_config(config.view('events'), backoff=Backoff(first=0.1))
    system._workers = Workers(1)
    system.on_start()
    return system


def emit(step, url, queue, topic):
    STEPS[step]()
    system = start(url)
    for n in range(1000):
        system.emit(Event(topic, {'n': n}))
        print(n, flush=True)


def consume(step, url, queue, topic):
    system = start(url)

    def handle(event):
        n = event.body['n']
        if n == _COUNT - 1:
            if step == 'in the handler':
                die()
            if 'retry' in step or 'letter' in step:
                raise RuntimeError('not yet')
        print(n, flush=True)

    STEPS[step]()
    retry = 5 if 'retry' in step else 0
    system.subscribe(Subscription(queue, (topic,), handle, retry=retry))
    gevent.sleep(120)


role, *facts = sys.argv[1:]
{'emit': emit, 'consume': consume}[role](*facts)
