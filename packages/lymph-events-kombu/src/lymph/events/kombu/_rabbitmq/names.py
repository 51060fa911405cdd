"""The names of exchanges and queues at RabbitMQ, which are different for each system.

With the default `exchange`, and with another one named X (N: the queue name of a subscription,
``<interface>.<handler>``; MS and SLOT: the `Level` in `delays`):

===========  ======================  ========================
             default                 X
===========  ======================  ========================
`events`     lymph.events            X
`queue`      N                       X.N
temporary    N.TOKEN                 X.N.TOKEN
`retry`      N.retry.MS.SLOT         X.N.retry.MS.SLOT
`dead`       lymph.dead              X.lymph.dead
`delay`      lymph.delay             X.lymph.delay
`waiting`    lymph.delay.MS.SLOT     X.lymph.delay.MS.SLOT
`delayed`    lymph.delayed           X.lymph.delayed
`records`    lymph.queues            X.lymph.queues
`lock`       lymph.queues.lock       X.lymph.queues.lock
===========  ======================  ========================

No interface can be named ``lymph``, so the queue of a handler named ``dead`` is never that of the
dead letters. The default is not ``lymph``, because that is the exchange of lymph 0.15.
"""

from __future__ import annotations

import re

from lymph.config.printable import quoted
from lymph.events.kombu._rabbitmq.delays import Level
from lymph.exceptions import SubscriptionError

__all__ = ['DEFAULT_EXCHANGE', 'Names']

DEFAULT_EXCHANGE = 'lymph.events'

_LONGEST_QUEUE = 200  # bytes; AMQP's limit is 255, and the names of retry queues are longer
_DEAD, _DELAY, _DELAYED = 'lymph.dead', 'lymph.delay', 'lymph.delayed'
_QUEUES = 'lymph.queues'
_RESERVED = re.compile(r'lymph\.(dead|delay|delayed|queues)(\..*)?|.*\.retry\.\d+\.\d+', re.DOTALL)
_OF_THE_BROKER = 'amq.'


class Names:
    """The names of everything that is declared for one `exchange`."""

    def __init__(self, exchange: str) -> None:
        self._prefix = '' if exchange == DEFAULT_EXCHANGE else f'{exchange}.'
        self.events = exchange
        self.dead = f'{self._prefix}{_DEAD}'
        self.delay = f'{self._prefix}{_DELAY}'
        self.delayed = f'{self._prefix}{_DELAYED}'
        self.records = f'{self._prefix}{_QUEUES}'
        self.lock = f'{self.records}.lock'

    def queue(self, name: str, token: str = '') -> str:
        """Return the name at the broker of the queue `name` of a subscription.

        `token` makes the name of a temporary queue unique to an instance.
        """
        return f'{self._prefix}{name}.{token}' if token else f'{self._prefix}{name}'

    def name_of(self, queue: str) -> str:
        """Return the queue name of a subscription; `queue` is its name at the broker."""
        return queue.removeprefix(self._prefix)

    def retry(self, queue: str, level: Level) -> str:
        """Return the name of the queue where failed events of `queue` wait."""
        return f'{queue}.retry.{level.suffix}'

    def waiting(self, level: Level) -> str:
        """Return the name of the queue where delayed events wait."""
        return f'{self.delay}.{level.suffix}'

    def check(self, name: str) -> None:
        """Raise SubscriptionError for a queue name that cannot be used.

        It is not printable, reserved by lymph or RabbitMQ, or longer than 200 bytes together with
        the prefix of the exchange.
        """
        if not name.isprintable():
            raise SubscriptionError(
                f'expected a queue name that can be printed, found {quoted(name)}'
            )
        # The broker reserves `amq.` at the beginning of a name: behind a prefix it is harmless.
        if _RESERVED.fullmatch(name) or self.queue(name).startswith(_OF_THE_BROKER):
            owner = 'RabbitMQ' if name.startswith(_OF_THE_BROKER) else 'lymph'
            raise SubscriptionError(
                f'{quoted(name)} is a name that {owner} keeps for queues of its own; give the '
                'interface or the handler another one'
            )
        size, longest = len(name.encode()), _LONGEST_QUEUE - len(self._prefix.encode())
        if size > longest:
            behind = f' behind the exchange {self.events}' if self._prefix else ''
            raise SubscriptionError(
                f'{name[:40]}...: expected a queue name of at most {longest} bytes{behind}, '
                f'found {size}; give the handler a shorter queue_name'
            )
