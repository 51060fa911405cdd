"""The keys that a key function may return, and the text that stands for each of them.

===========  =======================================================================
key          its text
===========  =======================================================================
`str`        itself
`int`        in decimal: 5 and '5' are the same key; in hexadecimal from 4,000 digits
`UUID`       as `str` writes it, with hyphens and small letters
`bytes`      each byte as the character of that number (ISO 8859-1)
===========  =======================================================================

The text depends on the key alone, on every machine. Everything else is rejected: booleans and None
usually come from a mistake, and floats have several texts for what their authors take for one
number. A text that UTF-8 cannot encode is rejected too.
"""

from __future__ import annotations

from uuid import UUID

__all__ = ['key_text']

_LONGEST_DECIMAL = 10**4000  # Python refuses to write numbers of more than 4,300 digits


def key_text(key: object) -> str | None:
    """Return the text of a key, or None for a value that is not a key.

    Methods that a subclass overrides are not called, since they may raise or return anything.
    """
    kind = type(key)
    if issubclass(kind, str):
        text = str.__str__(key)
    elif issubclass(kind, int) and kind is not bool:
        number = int.__index__(key)  # type: ignore[arg-type]
        text = str(number) if abs(number) < _LONGEST_DECIMAL else hex(number)
    elif issubclass(kind, UUID):
        text = UUID.__str__(key)
    elif issubclass(kind, bytes):
        text = bytes.decode(key, 'latin-1')  # type: ignore[arg-type]
    else:
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        return None
    return text
