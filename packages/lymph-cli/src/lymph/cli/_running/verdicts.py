"""Which instances of a service a call would reach, and why not the others: decisions on facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from lymph.cli._running.conditions import is_draining, is_foreign, is_overloaded
from lymph.cli._running.reasons import Process, Reason, why_no_answer
from lymph.core.addresses import is_loopback
from lymph.core.diagnosis import Answer
from lymph.core.services import ServiceInstance
from lymph.core.transport.endpoints import scheme_of, split_tcp

__all__ = ['Verdict', 'announces_loopback', 'conclusion', 'judge', 'other_version']


@dataclass(frozen=True)
class Verdict:
    """What a call makes of an instance: `reasons` to pass it over, `notes` for the operator."""

    instance: ServiceInstance
    answer: Answer
    reasons: tuple[Reason, ...]
    notes: tuple[str, ...] = ()

    @property
    def called(self) -> bool:
        """Whether a call may go there."""
        return not self.reasons


def other_version(name: str, version: str | None, wanted: str | None, newest: str) -> Reason:
    """Return why an instance of another version is passed over by calls for `wanted`.

    Without one, calls go to the `newest` major version.
    """
    own = version or 'no version'
    if wanted is not None:
        advice = f'ask for a version that is there, or deploy one that serves {wanted}'
        return Reason('not compatible', f'it has {own}, which does not serve {wanted}', advice)
    text = f'it has {own}, and calls without a version go to {newest}'
    return Reason('older major version', text, f'name the version to reach it: {name}@{version}')


def judge(
    name: str,
    instance: ServiceInstance,
    answer: Answer,
    version: Reason | None = None,
    *,
    process: Process = 'unknown',
    beyond_host: bool = False,
    hostname: str = '',
) -> Verdict:
    """Return what a call to `name` makes of an instance that gave `answer`.

    `version` is what speaks against its version, `hostname` what this machine is called, and
    `beyond_host` whether other machines read the registry.
    """
    reasons = [] if version is None else [version]
    notes = []
    silence = why_no_answer(answer, process)
    loopback = beyond_host and announces_loopback(instance.endpoint)
    elsewhere = bool(instance.hostname) and instance.hostname != hostname
    foreign = _foreign(instance, answer)
    # At the loopback address of another machine, callers reach their own machine. That explains
    # why nobody answers, or another instance. If the instance itself answers (one machine with two
    # host names, such as a container), the address gets only a note.
    misleading = loopback and elsewhere and (silence or foreign)
    if misleading:
        reasons.append(_loopback(instance))
    elif silence is not None:
        reasons.append(silence)
    elif foreign is not None:
        reasons.append(foreign)
    else:
        # Only in this case is the status that of the instance itself.
        reasons += _of_status(name, answer)
    if loopback and not misleading:
        notes.append('it announces a loopback address, which no other machine reaches')
    blocked = answer.number('loop', 'blocked_seconds')
    if blocked:
        count = answer.number('loop', 'blocks') or 0
        notes.append(f'its loop was blocked {count:.0f} times, for {blocked:.1f} s in all')
    return Verdict(instance, answer, tuple(reasons), tuple(notes))


def announces_loopback(endpoint: str) -> bool:
    """Return whether an endpoint is the machine of each client that connects to it."""
    if scheme_of(endpoint) != 'tcp':
        return False
    try:
        return is_loopback(split_tcp(endpoint)[0])
    except ValueError:
        return False


def _loopback(instance: ServiceInstance) -> Reason:
    return Reason(
        'announces a loopback address',
        f'it announces {instance.endpoint}, which is this machine to whoever calls',
        f'on {instance.hostname}, set container.ip or container.advertise to an address that '
        'others reach',
    )


def _foreign(instance: ServiceInstance, answer: Answer) -> Reason | None:
    """Return what speaks against an instance at whose address another one answers."""
    if not is_foreign(instance, answer):
        return None
    return Reason(
        'foreign address',
        f'at its address answers another instance, {(answer.text("identity") or "")[:64]}',
        'two instances announce one address, or this one has ended without leaving the registry: '
        'see container.advertise, and restart it',
    )


def _of_status(name: str, answer: Answer) -> list[Reason]:
    """Return what speaks against an instance that answers."""
    reasons = []
    if answer.status is not None and answer.status.get('worker') is True:
        advice = 'call the service itself; if it has no instance, start one: lymph instance'
        reasons.append(Reason('worker', 'a worker runs tasks and answers no calls', advice))
    elif name and name not in _interfaces(answer):
        # `name` is '' where an endpoint was given: any service may be there.
        text = f'it offers {", ".join(sorted(_interfaces(answer)))[:200] or "nothing"}, not {name}'
        advice = 'it was started with another configuration: restart it, or correct the address'
        reasons.append(Reason('other service', text, advice))
    if is_draining(answer):
        advice = 'it ends soon; if it does not, see what it runs: kill -USR1 writes its stacks'
        reasons.append(Reason('draining', 'it is stopping, and refuses calls', advice))
    if is_overloaded(answer):
        size = answer.number('handlers', 'pool_size')
        advice = (
            'raise container.pool_size, start more instances, or see what its handlers wait for'
        )
        text = f'it refuses calls, as all it may run at once are running ({size:.0f})'
        reasons.append(Reason('overloaded', text, advice))
    return reasons


def _interfaces(answer: Answer) -> set[str]:
    found = (each.get('name') for each in answer.sequence('interfaces') if isinstance(each, dict))
    return {each for each in found if isinstance(each, str)}


def conclusion(asked: str, verdicts: Sequence[Verdict]) -> str:
    """Return in one line whether a call reaches anybody, and if not, what to do."""
    called = sum(verdict.called for verdict in verdicts)
    count = f'{len(verdicts)} instance{"" if len(verdicts) == 1 else "s"}'
    passed_over = [verdict.reasons for verdict in verdicts if not verdict.called]
    # Each instance counts once, under its first reason: `judge` puts the version first.
    causes = Counter(reasons[0].short for reasons in passed_over)
    summary = ', '.join(f'{short} ({number})' for short, number in causes.most_common())
    if called == len(verdicts):
        return f'a call to {asked} reaches {count}'
    if called:
        return f'a call to {asked} reaches {called} of {count}; passed over: {summary}'
    first = passed_over[0][0]
    if len(causes) == 1:
        return f'a call to {asked} reaches none of {count}: {first.text}; {first.advice}'
    common = next(r[0] for r in passed_over if r[0].short == causes.most_common(1)[0][0])
    return f'a call to {asked} reaches none of {count}: {summary}; {common.advice}'
