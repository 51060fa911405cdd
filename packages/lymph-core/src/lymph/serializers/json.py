"""The same values as JSON: marked so that they can be read back, or plain for people.

A marked value is an object with the one key ``$set``, ``$datetime``, ``$date``, ``$time``,
``$uuid``, ``$decimal`` or ``$bytes`` (base64). An object that has such a key of its own travels
as ``{"$object": {...}}``. Dates, times and what becomes of other types are as in
`lymph.serializers.msgpack`, and so are the bounds; keys are text, numbers finite.
"""

from __future__ import annotations

import json
from typing import Any

from lymph.config.printable import quoted
from lymph.core.limits import DEPTH
from lymph.exceptions import SerializationError
from lymph.serializers._codec.excess import too_deep
from lymph.serializers._codec.marking import Marker, Plainer, key_misfit, scalar_misfit
from lymph.serializers._codec.paths import cause, explain
from lymph.serializers._codec.unmarking import Unmarker, check_count

__all__ = ['dumps', 'loads', 'plain', 'unmarked']


def dumps(value: Any) -> str:
    """Return `value` as JSON from which `loads` makes the same value again.

    Raises SerializationError, which names the path to the invalid value.
    """
    marker = Marker()
    try:
        return json.dumps(marker.mark(value, DEPTH), allow_nan=False, separators=(',', ':'))
    except Exception as error:
        text = explain(value, error, marker.dumps, scalar_misfit, key_misfit)
        raise SerializationError(text) from error


def loads(text: str | bytes) -> Any:
    """Return the value that JSON made by `dumps` holds; any other JSON is read as it is.

    Raises SerializationError for text that is not JSON, has an invalid marked value or exceeds a
    bound.
    """
    try:
        if not isinstance(text, str):
            text = bytes(text)
            text = text.decode(json.detect_encoding(text))
        check_count(text)
        return Unmarker().read(json.loads(text), DEPTH)
    except Exception as error:
        said = cause(too_deep() if isinstance(error, RecursionError) else error)
        raise SerializationError(f'expected JSON, found {quoted(text)}: {said}') from error


def unmarked(value: Any, depth: int = DEPTH) -> Any:
    """Return the value that JSON types hold, marked values read, as `loads` does.

    `depth` is how many containers may be inside each other. Raises SerializationError.
    """
    try:
        return Unmarker().read(value, depth)
    except Exception as error:
        raise SerializationError(cause(error)) from error


def plain(value: Any, depth: int = DEPTH) -> Any:
    """Return `value` in JSON types for printing: dates, keys and the like become text, sets lists.

    `depth` is how many containers may be inside each other. Raises SerializationError, which names
    the path to the invalid value.
    """
    plainer = Plainer()
    try:
        return plainer.plain(value, depth)
    except Exception as error:
        text = explain(value, error, plainer.dumps, _fits, _fits)
        raise SerializationError(text) from error


def _fits(value: Any) -> None:
    """Take any value of a known type: it can be printed."""
