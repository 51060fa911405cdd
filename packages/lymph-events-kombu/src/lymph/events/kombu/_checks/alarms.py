"""The check `broker`: whether RabbitMQ accepts messages, or has a memory or disk alarm.

RabbitMQ reports an alarm to a connection that publishes (connection.blocked), and then stops
reading from it. So this check publishes a message that is routed nowhere over a connection of its
own: either it is confirmed, or the connection is blocked with a reason. Source: RabbitMQ's guide
"Memory and disk alarms".
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

import amqp
import gevent
from amqp import spec

from lymph.config.printable import printable
from lymph.core.diagnosis import Check, Finding, Surroundings
from lymph.core.greenlets import Greenlet
from lymph.events.kombu._checks.links import open_link, rabbitmq
from lymph.events.kombu._connecting.errors import BROKEN, BrokerError, explain
from lymph.events.kombu._rabbitmq.channels import AmqpChannel, AmqpConnection

__all__ = ['BrokerCheck', 'alarm_finding', 'refusal']

_PATIENCE = 5.0  # seconds for a confirmation or a reason
_SILENT = 'no confirmation, and no word why'


class BrokerCheck(Check):
    """Publishes a message that is routed nowhere, and waits for its confirmation."""

    about = 'whether RabbitMQ takes messages, or has an alarm'

    def run(self, around: Surroundings) -> Iterable[Finding]:
        """Publish the message; return a finding if RabbitMQ does not confirm it within 5 s.

        Raises NotChecked if events do not go through RabbitMQ, and BrokerError if there is no
        connection or it fails.
        """
        with open_link(rabbitmq(around), 'looking for alarms') as link:
            if link.connection is None:
                raise BrokerError(f'no connection: {link.trouble}')
            reason = refusal(link.connection)
            return [] if reason is None else [alarm_finding(str(link.broker), reason)]


def alarm_finding(broker: str, reason: str) -> Finding:
    """Return the finding for an alarm, with advice; `reason` is RabbitMQ's own text."""
    advice = 'rabbitmqctl list_alarms and rabbitmq-diagnostics status tell more'
    if 'memory' in reason:
        advice = (
            'give it memory, or raise vm_memory_high_watermark; let consumers empty long queues '
            f'(lymph queues); {advice}'
        )
    elif 'disk' in reason:
        advice = f'make room on its disk, or lower disk_free_limit; {advice}'
    text = printable(reason, 200)
    return Finding(
        f'that {broker} takes what is published',
        f'that it blocks all who publish ({text}), so that emit fails after confirm_timeout',
        advice,
    )


def refusal(connection: AmqpConnection) -> str | None:
    """Publish a message that is routed nowhere; return None if it is confirmed, else the reason.

    Waits up to 5 s. A connection that was blocked cannot be used any more. Raises BrokerError when
    the connection or the channel fails.
    """
    publishing = Greenlet.spawn(_publish, connection)
    either: list[Any] = [publishing, connection.why_blocked]
    gevent.wait(either, _PATIENCE, count=1)
    try:
        if connection.why_blocked.ready():
            return connection.why_blocked.get()
        if not publishing.ready():
            return _SILENT
        error = publishing.value
    finally:
        publishing.kill()
    if error is not None:
        raise BrokerError(f'cannot publish: {explain(error)}') from error
    return None


def _publish(connection: AmqpConnection) -> Exception | None:
    try:
        channel: AmqpChannel = connection.channel()
        channel.confirm_select()
        nowhere = f'lymph.doctor.{secrets.token_hex(8)}'
        channel.send(channel.publication(amqp.Message(b''), '', nowhere, mandatory=False))
        channel.wait([spec.Basic.Ack, spec.Basic.Nack])
    except BROKEN as error:
        return error
    return None
