"""Why an instance does not answer, in words an operator can act on: decisions on error texts."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from lymph.core.diagnosis import Answer

__all__ = ['Process', 'Reason', 'why_no_answer']

#: what became of the process of an instance; unknown where it runs on another machine
Process = Literal['running', 'stopped', 'gone', 'unknown']


class Reason(NamedTuple):
    """Why an instance is passed over: in a few words, in a sentence, and what to do."""

    short: str
    text: str
    advice: str


_REFUSED = (
    'nothing listens there: its process has ended without leaving the registry, or the address '
    'that it announces is wrong (container.advertise)'
)
_TIMED_OUT = (
    'nothing answers at that address: see whether its host is up, and whether a firewall drops '
    'what is sent to the port'
)
_UNREACHABLE = (
    'there is no route from here: see the network, and the address that the instance announces '
    '(container.advertise)'
)
_NAME_SERVERS = 'no name server answers in time: see /etc/resolv.conf'
_UNKNOWN_HOST = (
    'this machine cannot resolve the name: see DNS and /etc/hosts, or have the instance announce '
    'an address (container.advertise)'
)
_FOREIGN = (
    'something else listens there: see who has the port, and restart the instance at another one'
)
_TRANSPORT = 'the transport configured here cannot reach it: see container.rpc.transport'
_HANGS_UP = (
    'what listens there closes connections: see whether that is the instance, and what its log says'
)
_OTHER = 'see the log of the instance'
_FAILED = 'it answers, and not as lymph does: see which version of lymph runs there'

# Texts are those of the system and of the transports. The first that fits says why.
_CAUSES = tuple(
    (re.compile(pattern, re.IGNORECASE), short, advice)
    for pattern, short, advice in (
        ('connection refused', 'connection refused', _REFUSED),
        ('waiting for the tcp connection|timed out', 'timed out', _TIMED_OUT),
        ('unreachable|no route to host|host is down', 'unreachable network', _UNREACHABLE),
        ('waiting for the address of', 'name server silent', _NAME_SERVERS),
        ('not known|name resolution|no address associated', 'unknown host name', _UNKNOWN_HOST),
        ('the peer sent', 'protocol mismatch', _FOREIGN),
        ('expected an endpoint like|transport', 'other transport', _TRANSPORT),
        ('reset by peer|closed by the peer|broken pipe', 'closes connections', _HANGS_UP),
    )
)
_HANDSHAKE = re.compile('waiting for the zmtp handshake|no zmtp handshake', re.IGNORECASE)

_SILENT = 'it accepts connections and says nothing'


def why_no_answer(answer: Answer, process: Process) -> Reason | None:
    """Return why an instance has not answered; None for one that has."""
    if answer.status is not None:
        return None
    # Before the class of the error, which is NotConnected as for a refused connection. Here the
    # system has accepted the connection: a process holds the port, and does not read.
    if _HANDSHAKE.search(answer.error):
        return _silent('loop blocked', _SILENT, answer, process)
    if answer.kind in ('Timeout', 'Expired', 'ConnectionLost'):
        return _silent('silent', f'it does not answer: {answer.error}', answer, process)
    # Something answers, but not with a status: another version of lymph, or none at all.
    if answer.kind in ('Refused', 'Failed', 'RemoteError', 'Wrong'):
        return Reason('protocol mismatch', answer.error, _FAILED)
    for pattern, short, advice in _CAUSES:
        if pattern.search(answer.error):
            return Reason(short, answer.error, advice)
    return Reason('not reachable', answer.error, _OTHER)


def _silent(short: str, text: str, answer: Answer, process: Process) -> Reason:
    pid = answer.instance.pid
    where = f' on {answer.instance.hostname}' if answer.instance.hostname else ''
    if process == 'stopped':
        return Reason(
            'stopped', f'process {pid} is stopped (SIGSTOP)', f'let it go on: kill -CONT {pid}'
        )
    if process == 'gone':
        return Reason('protocol mismatch', f'{text}, and process {pid} has ended', _FOREIGN)
    stacks = f'kill -USR1 {pid}{where} writes to its log where' if pid else 'see its log'
    if process == 'running':
        return Reason(short, text, f'process {pid} runs, so its loop is blocked: {stacks}')
    return Reason(
        short,
        text,
        f'its loop is blocked ({stacks}), its process is stopped, or something else listens there',
    )
