"""JSON Schema of types of single values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec.inspect as nodes

__all__ = ['DECIMAL', 'integer_schema', 'limits_of', 'scalar_schema']

_YEAR: Final = '([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])'
#: February 29 of any year, since patterns do not count
_DAY: Final = '((0[1-9]|1[0-2])-(0[1-9]|[12][0-9])|(0[13-9]|1[0-2])-30|(0[13578]|1[02])-31)'
_TIME: Final = '([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?'
_BASE64: Final = '^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$'
#: an exponent of more digits cannot be represented
DECIMAL: Final = '^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]{1,5})?$'

#: what msgpack can carry
_LEAST, _MOST = -(2**63), 2**64 - 1

_BYTES: Final = (nodes.BytesType, nodes.ByteArrayType, nodes.MemoryViewType)
_PLAIN: Final[dict[Any, dict[str, Any]]] = {
    nodes.NoneType: {'type': 'null'},
    nodes.BoolType: {'type': 'boolean'},
    nodes.DateType: {'type': 'string', 'format': 'date'},
    nodes.UUIDType: {'type': 'string', 'format': 'uuid'},
    nodes.DecimalType: {'type': ['string', 'number'], 'pattern': DECIMAL},
}
_BOUNDS: Final = {
    'ge': 'minimum',
    'gt': 'exclusiveMinimum',
    'le': 'maximum',
    'lt': 'exclusiveMaximum',
    'multiple_of': 'multipleOf',
}


def scalar_schema(node: Any) -> dict[str, Any]:
    """Return the schema of a type of single values; ``{}`` for one that is not known here."""
    if isinstance(node, (nodes.IntType, nodes.FloatType)):
        bounds = {word: getattr(node, name) for name, word in _BOUNDS.items()}
        given = {word: each for word, each in bounds.items() if each is not None}
        return (
            integer_schema(given)
            if isinstance(node, nodes.IntType)
            else {'type': 'number', **given}
        )
    if isinstance(node, nodes.StrType):
        pattern = {} if node.pattern is None else {'pattern': node.pattern}
        return {'type': 'string', **limits_of(node, 'Length'), **pattern}
    if isinstance(node, nodes.DateTimeType):
        return _moment(node, 'date-time', f'^{_YEAR}-{_DAY}T{_TIME}$')
    if isinstance(node, nodes.TimeType):
        return _moment(node, 'time', f'^{_TIME}$')
    if isinstance(node, nodes.LiteralType):
        return {'enum': list(node.values)}
    if isinstance(node, _BYTES):
        return _marked_bytes(node)
    return dict(_PLAIN.get(type(node), {}))


def integer_schema(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of whole numbers with the keywords `given`: they have to fit 64 bits."""
    least = {} if 'minimum' in given or 'exclusiveMinimum' in given else {'minimum': _LEAST}
    most = {} if 'maximum' in given or 'exclusiveMaximum' in given else {'maximum': _MOST}
    return {'type': 'integer', **least, **most, **given}


def limits_of(node: Any, what: str) -> dict[str, int]:
    """Return the keywords for the bounds of a length; `what` is Length, Items or Properties."""
    limits = {f'min{what}': node.min_length, f'max{what}': node.max_length}
    return {name: limit for name, limit in limits.items() if limit is not None}


def _moment(node: Any, form: str, naive: str) -> dict[str, Any]:
    # the formats demand an offset from UTC; one without it may be written too, unless one is needed
    if node.tz is False:
        return {'type': 'string', 'pattern': naive}
    return {'type': 'string', 'format': form}


def _marked_bytes(node: Any) -> dict[str, Any]:
    text: dict[str, Any] = {'type': 'string', 'contentEncoding': 'base64', 'pattern': _BASE64}
    if node.min_length is not None:
        text['minLength'] = (node.min_length + 2) // 3 * 4
    if node.max_length is not None:
        text['maxLength'] = (node.max_length + 2) // 3 * 4
    return {
        'type': 'object',
        'properties': {'$bytes': text},
        'required': ['$bytes'],
        'additionalProperties': False,
    }
