"""The status and the header fields of an answer, as an application starts it (PEP 3333).

========  =============================  ==============================  =========================
state     `start`                        `start` with exc_info           `send`
========  =============================  ==============================  =========================
NEW       STARTED                        STARTED                         error: nothing was started
STARTED   error: started twice           STARTED, in place of the other  SENT
SENT      error: started twice           raises what exc_info says       SENT
========  =============================  ==============================  =========================

What HTTP cannot carry is refused when an application starts its answer, so that nothing of it has
left and another answer can take its place.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from typing import Any, NoReturn

from lymph.config.printable import quoted
from lymph.exceptions import LymphError

__all__ = ['AnswerError', 'Opening', 'check_field', 'check_part', 'is_field_name', 'parts_of']

# RFC 9112, section 4; an application that has no words for its status need not invent any.
_STATUS = re.compile(r'([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?')
_HIGHEST = 599
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r'[\t\x20-\x7e\x80-\xff]*')
_LENGTH = 18  # digits


class AnswerError(LymphError, ValueError):
    """An application answers with what is no answer in HTTP."""


class Opening:
    """What one answer begins with; `status` is empty until an application has started it."""

    __slots__ = ('code', 'fields', 'length', 'names', 'sent', 'status')

    def __init__(self) -> None:
        self.status = ''
        self.code = 0
        self.fields: list[tuple[str, str]] = []
        self.names: list[str] = []  # of the fields, in lower case
        self.length: int | None = None  # bytes, as Content-Length says
        self.sent = False

    def start(self, status: object, fields: object, exc_info: Any = None) -> None:
        """Take status and header fields; raises AnswerError for those that cannot be sent."""
        if exc_info is None and self.status:
            raise AnswerError('expected start_response to be called once, or with exc_info')
        if exc_info is not None and self.sent:
            raise exc_info[1].with_traceback(exc_info[2])
        code = _code(status) if isinstance(status, str) else _no_status(status)
        if type(fields) is not list and not isinstance(fields, Iterable):
            raise AnswerError(f'expected a list of header fields, found {quoted(fields)}')
        checked, names = list(fields), []
        for field in checked:
            if type(field) is tuple and len(field) == 2:
                name, value = field
                if type(name) is type(value) is str and value.isascii() and value.isprintable():
                    names.append(_lower(name))  # nearly all fields
                    continue
            names.append(check_field(field)[0].lower())
        length = _length(checked, names) if 'content-length' in names else None
        self.status, self.code = str(status), code
        self.fields, self.names, self.length = checked, names, length

    def add(self, name: str, value: str) -> None:
        """Add a header field that can be sent, and is not Content-Length."""
        self.fields.append((name, value))
        self.names.append(_lower(name))

    def drop(self, names: Collection[str]) -> None:
        """Drop the header fields of these names, in lower case; not Content-Length."""
        kept = [index for index, name in enumerate(self.names) if name not in names]
        self.fields = [self.fields[index] for index in kept]
        self.names = [self.names[index] for index in kept]

    def send(self) -> None:
        """Record that status and fields are sent; raises AnswerError if there are none."""
        if not self.status:
            raise AnswerError('expected a call of start_response before the body, found none')
        self.sent = True


def is_field_name(text: str) -> bool:
    """Tell whether `text` can be the name of a header field."""
    return _NAME.fullmatch(text) is not None


def check_field(field: object) -> tuple[str, str]:
    """Return a header field as it is; raises AnswerError unless it can be sent."""
    if not isinstance(field, (tuple, list)) or len(field) != 2:
        raise AnswerError(f'expected header fields (name, value), found {quoted(field)}')
    name, value = field
    if not isinstance(name, str) or not _is_name(name):
        raise AnswerError(f'expected the name of a header field, found {quoted(name)}')
    if not isinstance(value, str) or not (
        # nearly all values, without the cost of an expression
        (value.isascii() and value.isprintable()) or _VALUE.fullmatch(value)
    ):
        raise AnswerError(
            f'expected text of Latin-1 without control characters in header field {quoted(name)}, '
            f'found {quoted(value)}'
        )
    return name, value


def parts_of(result: object) -> Iterator[Any]:
    """Return an iterator over what an application returned; raises AnswerError for anything odd."""
    try:
        return iter(result)  # type: ignore[call-overload, no-any-return]  # that is to be found out
    except TypeError:
        kind = type(result).__name__
        raise AnswerError(f'expected an iterable of bytes as answer, found {kind}') from None


def check_part(part: object) -> bytes:
    """Return a part of a body; raises AnswerError unless it is made of bytes."""
    if isinstance(part, bytes):
        return part
    if isinstance(part, (bytearray, memoryview)):
        return bytes(part)
    raise AnswerError(f'expected the parts of an answer as bytes, found {type(part).__name__}')


# An application has few names and statuses, and uses them again and again.


@lru_cache(256)
def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


@lru_cache(256)
def _lower(name: str) -> str:
    if not _is_name(name):
        raise AnswerError(f'expected the name of a header field, found {quoted(name)}')
    return name.lower()


@lru_cache(256)
def _code(status: str) -> int:
    found = _STATUS.fullmatch(status)
    if found is None or int(found[1]) > _HIGHEST:
        _no_status(status)
    return int(status[:3])


def _no_status(status: object) -> NoReturn:
    raise AnswerError(f"expected a status such as '200 OK', found {quoted(status)}")


def _is_length(text: str) -> bool:
    return len(text) <= _LENGTH and text.isascii() and text.isdigit()


def _length(fields: list[tuple[str, str]], names: list[str]) -> int:
    value = fields[names.index('content-length')][1]
    if names.count('content-length') == 1 and _is_length(value):
        return int(value)
    named = zip(names, fields, strict=True)
    values = [value for name, (_, value) in named if name == 'content-length']
    raise AnswerError(
        f'expected one number of bytes as Content-Length, found {quoted(", ".join(values))}'
    )
