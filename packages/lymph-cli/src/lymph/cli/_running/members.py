"""The instances of services as `lymph discover` tells of them: how they are, and since when.

How an instance is comes from its own `lymph.status`:

============  =================================================================================
health        meaning
============  =================================================================================
ok            it answers
draining      it answers, and is on its way down: new calls are refused
overloaded    it answers, and refuses calls: all its handlers are busy
foreign       somebody else answers at its endpoint
silent        it can be connected to, and has not answered in time
unreachable   nobody can be connected to at its endpoint
============  =================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from lymph.cli._arguments.durations import short_duration
from lymph.cli._running.conditions import is_draining, is_foreign, is_overloaded
from lymph.cli._running.reasons import why_no_answer
from lymph.core.diagnosis import Answer
from lymph.core.services import ServiceInstance

__all__ = ['OK', 'Member', 'health', 'oldest']

OK = 'ok'

#: Errors of an instance that answers without a status, such as one of an older lymph.
_ANSWERS = ('Refused', 'Failed', 'RemoteError', 'Wrong')
#: Why there is no answer, in the words of `lymph why`.
_WITHOUT = {'silent': 'silent', 'loop blocked': 'silent', 'protocol mismatch': 'foreign'}


def health(instance: ServiceInstance, answer: Answer) -> str | None:
    """Return how the instance is at whose endpoint an answer was given; None if nobody asked."""
    reason = why_no_answer(answer, 'unknown')
    if reason is not None and not answer.kind:
        return None
    if reason is not None and answer.kind not in _ANSWERS:
        return _WITHOUT.get(reason.short, 'unreachable')
    if is_foreign(instance, answer):
        return 'foreign'
    if is_draining(answer):
        return 'draining'
    if is_overloaded(answer):
        return 'overloaded'
    return OK


class Member(NamedTuple):
    """An instance of a service, the namespaces it is registered in, and what it said of itself.

    `answer` is None if it was not asked, `now` the time of this machine, a Unix time.
    """

    service: str
    namespaces: tuple[str, ...]
    instance: ServiceInstance
    answer: Answer | None
    now: float

    @property
    def health(self) -> str | None:
        """How it is; None if that is not known."""
        return None if self.answer is None else health(self.instance, self.answer)

    @property
    def age(self) -> float | None:
        """Seconds since it was started; None if that is not known."""
        if self.instance.started is not None:
            return max(self.now - self.instance.started, 0.0)
        return None if self.answer is None else self.answer.number('uptime')

    @property
    def http(self) -> str:
        """The URL at which it answers HTTP, '' if it does not."""
        return self.instance.http_url or ''

    def facts(self) -> dict[str, Any]:
        """Return all that is known of it; None for what is not."""
        answer = self.answer
        return {
            **dict.fromkeys(_FACTS),
            **self.instance.serialize(),
            'namespaces': list(self.namespaces),
            'health': self.health,
            'reason': None if answer is None or not answer.error else answer.error,
            'age': self.age,
            'lymph': None if answer is None else answer.text('version'),
        }


#: What a registry may know of an instance, in the order it is told in.
_FACTS = (
    'identity',
    'endpoint',
    'version',
    'hostname',
    'fqdn',
    'ip',
    'pid',
    'http_port',
    'http_scheme',
    'log_endpoint',
    'monitoring_endpoint',
    'backdoor_endpoint',
    'started',
)


def oldest(members: Iterable[Member]) -> str:
    """Return the age of the oldest of instances in words; '' if none is known."""
    ages = [member.age for member in members if member.age is not None]
    return short_duration(max(ages)) if ages else ''
