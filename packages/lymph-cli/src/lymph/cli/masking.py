"""What is not shown of a configuration: passwords, by the names of their keys and inside URLs."""

from __future__ import annotations

import re
from typing import Any

__all__ = ['mask']

_MASK = '***'
_NAMES = re.compile(
    r'(pass(word|wd|phrase)?|secrets?|credentials?|token|(api|access|private|secret)_?key)$', re.I
)
#: The password in `scheme://user:password@host`; it may contain all but what ends the authority.
_IN_URL = re.compile(r'(?<=://)([^\s/?#:@]*):([^\s/?#]*)@')


def mask(value: Any, name: str = '') -> Any:
    """Return a copy of a value in which what looks secret is `***`; `name` is the key it stands at.

    References to dependencies stay: they are names.
    """
    secret = _NAMES.search(name) is not None
    if isinstance(value, dict):
        return {key: mask(child, name if secret else key) for key, child in value.items()}
    if isinstance(value, list):
        return [mask(item, name) for item in value]
    if isinstance(value, str) and value.startswith('dep:'):
        return value
    if value is not None and not isinstance(value, bool) and secret:
        return _MASK
    if isinstance(value, str):
        return _IN_URL.sub(rf'\1:{_MASK}@', value)
    return value
