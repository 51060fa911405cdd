"""From the frames of a reply to a result or an error."""

from __future__ import annotations

from typing import Any

from lymph.core.channels import RequestChannel
from lymph.core.messages import ACK, NACK, REP
from lymph.exceptions import Failed, Refused, RemoteError, SerializationError
from lymph.serializers.msgpack import unpack

__all__ = ['outcome']

_RAN = 'failed'  # the one reason of a NACK whose method did run


def outcome(frames: list[bytes], channel: RequestChannel) -> Any:
    """Return the result that a reply carries; None for an ACK.

    Raises RemoteError for an ERROR, Refused or Failed for a NACK; Failed also when the reply
    cannot be read. `channel` names the call in errors.
    """
    type = frames[1]
    try:
        if type == REP:
            return unpack(frames[4])
        if type == ACK:
            return None
        body = unpack(frames[4])
        headers = unpack(frames[3])
    except SerializationError as error:
        raise Failed(f'{channel.what}: the reply cannot be read: {error}') from error
    if isinstance(body, str):
        body = {'message': body}
    details = body if isinstance(body, dict) else {}
    text = str(details.get('message') or '')
    if type == NACK:
        reason = str(headers.get('reason', _RAN)) if isinstance(headers, dict) else _RAN
        text = f'{channel.what}: {text or reason}'
        raise Failed(text, reason) if reason == _RAN else Refused(text, reason)
    raise RemoteError.named(str(details.get('type') or 'Exception'), text or channel.what)
