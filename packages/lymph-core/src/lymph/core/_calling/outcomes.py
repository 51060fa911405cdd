"""Turning the frames of a reply into a result or an error."""

from __future__ import annotations

from typing import Any, cast

from lymph.config.printable import quoted
from lymph.core.channels import RequestChannel
from lymph.core.messages import ACK, NACK, REP, unpack_headers
from lymph.core.reasons import FAILED, Reason
from lymph.exceptions import Failed, Refused, RemoteError, SerializationError
from lymph.serializers.msgpack import unpack

__all__ = ['outcome', 'outcome_in', 'reason_in', 'says_idempotent']

_TEXT = 64 * 1024  # characters of an error's text that are kept
_NAME = 255  # characters of the name of its class, or of a reason


def outcome(frames: list[bytes], channel: RequestChannel) -> Any:
    """Return the result in a reply; None for an ACK.

    Raises RemoteError for an ERROR; for a NACK, Failed with the reason ``failed`` and Refused with
    any other; Failed for a reply that cannot be unpacked. `channel` names the call in errors.
    """
    type = frames[1]
    try:
        if type == REP:
            return unpack(frames[4])
        if type == ACK:
            return None
        body = unpack(frames[4])
        reason = reason_in(frames[3]) if type == NACK else FAILED
    except SerializationError as error:
        text = f'{channel.what}: the reply cannot be read: {error}'
        raise Failed(text, **channel.facts) from error
    if isinstance(body, str):
        body = {'message': body}
    details = body if isinstance(body, dict) else {}
    text = _text(details.get('message') or '', _TEXT)
    if type == NACK:
        text = f'{channel.what}: {text or reason}'
        kind = Failed if reason == FAILED else Refused
        raise kind(text, reason, **channel.facts)
    name = _text(details.get('type') or 'Exception', _NAME)
    raise RemoteError.named(name, text or channel.what, **channel.facts)


def outcome_in(frames: list[bytes]) -> str:
    """Return ``ok`` for a reply that is a result, or why there is none, in a word."""
    if frames[1] in (REP, ACK):
        return 'ok'
    return reason_in(frames[3]) if frames[1] == NACK else 'RemoteError'


def says_idempotent(headers: bytes) -> bool:
    """Tell whether the packed headers of a reply say that the method is idempotent."""
    try:
        return unpack_headers(headers).get('idempotent') is True
    except SerializationError:
        return False


def reason_in(headers: bytes) -> Reason:
    """Return the reason of a NACK; ``failed`` (the method may have run) if it cannot be read.

    A newer peer may send a reason that is not in `Reason`. It is kept, and means, like all reasons
    except ``failed``, that the method did not run.
    """
    try:
        found = unpack_headers(headers).get('reason', FAILED)
    except SerializationError:
        return FAILED
    return cast('Reason', _text(found, _NAME))


def _text(value: Any, limit: int) -> str:
    """Return what a peer sent where text belongs, as text of at most `limit` characters."""
    return value[:limit] if isinstance(value, str) else quoted(value, limit)
