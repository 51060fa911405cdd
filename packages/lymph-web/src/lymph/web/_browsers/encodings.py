"""Which encoding of an answer a client wants: gzip, or none. Source: RFC 9110, section 12.5.3.

===========================  ===========  ==========================================================
Accept-Encoding              wish         since
===========================  ===========  ==========================================================
(missing), empty, malformed  IDENTITY     not every client that says nothing can decode
gzip, deflate, br            GZIP
gzip;q=0.5, identity         IDENTITY     it is preferred
gzip;q=0.5                   GZIP         what is not named is acceptable, but not preferred
*                            GZIP         every encoding
gzip;q=0, *                  IDENTITY
gzip, identity;q=0           GZIP_ONLY    so that even short answers have to be compressed
gzip, *;q=0                  GZIP_ONLY
identity;q=0                 IDENTITY     nothing would do: better an answer than none
===========================  ===========  ==========================================================
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

__all__ = ['Wish', 'wish_of']

_CODING: Final = re.compile(
    r"(?P<name>[!#$%&'*+.^_`|~0-9a-z-]+)"
    r'(?:[ \t]*;[ \t]*q=(?P<q>0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?',
    re.IGNORECASE,
)
_LONGEST: Final = 1000  # characters; browsers send less than 30


class Wish(Enum):
    """How a client wants an answer: as it is, compressed, or nothing but compressed."""

    IDENTITY = 'identity'
    GZIP = 'gzip'
    GZIP_ONLY = 'gzip only'


def wish_of(text: str) -> Wish:
    """Return what an ``Accept-Encoding`` field asks for; see above."""
    codings = _codings(text)
    if not codings:
        return Wish.IDENTITY
    other = codings.get('*', 0.0)
    gzip = codings.get('gzip', codings.get('x-gzip', other))
    identity = codings.get('identity')
    if gzip <= 0 or (identity is not None and identity > gzip):
        return Wish.IDENTITY
    excluded = identity == 0 or (identity is None and codings.get('*') == 0)
    return Wish.GZIP_ONLY if excluded else Wish.GZIP


def _codings(text: str) -> dict[str, float]:
    """Return the weight of each encoding that is named; empty if the field is malformed or long."""
    codings: dict[str, float] = {}
    if len(text) > _LONGEST:
        return codings
    for each in text.split(','):
        item = each.strip(' \t')
        if not item:
            continue
        found = _CODING.fullmatch(item)
        if found is None:
            return {}
        codings[found['name'].lower()] = 1.0 if found['q'] is None else float(found['q'])
    return codings
