"""Reading the logs that containers publish at `container.log_endpoint`.

One socket is connected to all of them, and reconnects by itself. A record has the facts

=============  ====================================================================================
identity       of the container
number         counts its records from 1; a gap means lost records
time           Unix time in seconds
level          its name; `levelno` its number
logger         the name of the logger
message        the text; `exception` the traceback, if there is one
trace_id       the trace in which it was written, or None
=============  ====================================================================================
"""

from __future__ import annotations

from typing import Any, Final

from lymph.core._monitoring.log_publisher import TOPIC
from lymph.core._monitoring.subscriber_socket import SubscriberSocket
from lymph.exceptions import SerializationError
from lymph.serializers.msgpack import unpack

__all__ = ['LogSocket', 'read_record']

_LARGEST: Final = 1024 * 1024  # bytes of a record
_READ_AHEAD: Final = 20_000  # records

# fact -> the types it may have
_FACTS: Final[dict[str, tuple[type, ...]]] = {
    'identity': (str,),
    'number': (int,),
    'time': (int, float),
    'level': (str,),
    'levelno': (int,),
    'logger': (str,),
    'message': (str,),
    'trace_id': (str, type(None)),
    'exception': (str,),
}
_OPTIONAL: Final = {'exception'}
_TIMES: Final = (0, 253_402_300_799)  # what datetime can show


class LogSocket(SubscriberSocket):
    """Receives the records of all containers that it is connected to.

    `read_ahead` is how many records may wait to be received; others are dropped.
    """

    def __init__(self, read_ahead: int = _READ_AHEAD) -> None:
        super().__init__(TOPIC, read_ahead, _LARGEST)

    def receive(self) -> dict[str, Any] | None:
        """Wait for the next record and return its facts; None for what is no record."""
        return read_record(self.receive_frames())


def read_record(frames: list[bytes]) -> dict[str, Any] | None:
    """Return the facts in the frames of a record, None for anything else."""
    if len(frames) != 2 or frames[0] != TOPIC:
        return None
    try:
        facts = unpack(frames[1])
    except SerializationError:
        return None
    if not isinstance(facts, dict):
        return None
    known = {name: facts[name] for name in _FACTS if name in facts}
    # A bool is an int in Python, but no fact may be a bool.
    fitting = all(
        isinstance(value, _FACTS[name]) and not isinstance(value, bool)
        for name, value in known.items()
    )
    if not fitting or not _FACTS.keys() - _OPTIONAL <= known.keys():
        return None
    # This rejects NaN too, which compares as False.
    return known if _TIMES[0] <= known['time'] <= _TIMES[1] else None
