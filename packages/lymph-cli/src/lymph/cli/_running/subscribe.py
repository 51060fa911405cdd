"""Prints events as they happen."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import click
from gevent.queue import Empty, Queue

from lymph.cli._running.asking import open_client
from lymph.cli.outcomes import OperationFailed
from lymph.cli.output import say
from lymph.cli.printing import Printer
from lymph.cli.settings import Settings
from lymph.core.events import Event
from lymph.events.base import Subscription
from lymph.exceptions import SubscriptionError

__all__ = ['run']


def run(
    settings: Settings,
    types: Sequence[str],
    count: int | None,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Print events until there were `count` of them, or for ever.

    Raises OperationFailed when none has come for `timeout` seconds.
    """
    printer = Printer(settings)
    # With room for one, no more events are taken than somebody reads.
    arrived: Queue[Event] = Queue(1)
    with open_client(settings) as client:
        name = f'lymph-subscribe.{client.container.identity}'
        subscription = Subscription(
            name, tuple(types), arrived.put, sequential=True, broadcast=True, durable=False
        )
        try:
            client.container.subscribe(subscription)
        except SubscriptionError as error:
            raise click.UsageError(str(error).removeprefix(f'{name}: ')) from error
        say(f'subscribed to {", ".join(types)}; Ctrl-C ends')
        for _ in itertools.count() if count is None else range(count):
            _show(printer, _next(arrived, timeout), as_json)


def _next(arrived: Queue[Event], timeout: float | None) -> Event:
    try:
        return arrived.get(timeout=timeout)
    except Empty:
        raise OperationFailed(f'no event within {timeout:g} s') from None


def _show(printer: Printer, event: Event, as_json: bool) -> None:
    if not as_json:
        printer.value(event.body, label=event.type)
        return
    facts = {'type': event.type, 'body': event.body, 'id': event.id, 'source': event.source}
    printer.json({**facts, 'headers': event.headers}, line=True)
