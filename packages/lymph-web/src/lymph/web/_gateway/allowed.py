"""Which methods a gateway offers: the list `allow` of its section.

======================  ============================================================================
``shop.order``          this method
``shop.*``              all methods of this interface
``*.*``                 all methods of all interfaces
======================  ============================================================================

Methods of `lymph` itself are never allowed by a pattern, only by their full names. Names are
case-sensitive, and nothing is normalized.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lymph.config import ConfigView
from lymph.config.printable import quoted
from lymph.core.limits import SUBJECT

__all__ = ['BUILTIN', 'Allowed', 'split_name']

#: the built-in interface of every instance
BUILTIN: Final = 'lymph'
_ANY: Final = '*'
#: no dots: workers are registered as ``NAME.worker``
_INTERFACE: Final = re.compile(r'\w[\w-]*')
_EXPECTED: Final = "a method like 'shop.order', all of an interface like 'shop.*', or '*.*'"


@dataclass(frozen=True)
class Allowed:
    """The methods that are allowed: full names, interfaces, or everything."""

    methods: frozenset[tuple[str, str]] = frozenset()
    whole: frozenset[str] = frozenset()
    everything: bool = False

    @classmethod
    def of(cls, patterns: Iterable[str]) -> Allowed:
        """Return what these patterns allow. Raises ValueError for an invalid pattern."""
        methods, whole, everything = set(), set(), False
        for pattern in patterns:
            interface, method = _read(pattern)
            if interface == _ANY:
                everything = True
            elif method == _ANY:
                whole.add(interface)
            else:
                methods.add((interface, method))
        return cls(frozenset(methods), frozenset(whole), everything)

    @classmethod
    def from_config(cls, config: ConfigView, key: str = 'allow') -> Allowed:
        """Read the list of patterns at a key. Raises ConfigurationError for an invalid one."""
        patterns = config.get_list(key)
        if not patterns:
            raise config.error(
                key, f'expected what callers may use, found an empty list: {_EXPECTED}'
            )
        for number in range(len(patterns)):
            try:
                _read(config.get_line([key, str(number)]))
            except ValueError as error:
                raise config.error([key, str(number)], str(error)) from None
        return cls.of(patterns)

    def __contains__(self, name: object) -> bool:
        """Tell whether ``interface.method`` is allowed."""
        parts = split_name(name) if isinstance(name, str) else None
        return parts is not None and self.admits(*parts)

    def admits(self, interface: str, method: str) -> bool:
        """Tell whether a method is allowed."""
        if (interface, method) in self.methods:
            return True
        if interface == BUILTIN or not (self.everything or interface in self.whole):
            return False
        return _is_name(interface, method)

    @property
    def interfaces(self) -> frozenset[str]:
        """The interfaces that are named; with `everything`, others are allowed too."""
        return self.whole | {interface for interface, _ in self.methods}

    def names(self, interface: str) -> bool:
        """Tell whether the list names this interface, so that clients may know that it exists."""
        return interface in self.interfaces


def split_name(name: str) -> tuple[str, str] | None:
    """Return the interface and the method of ``interface.method``, None for any other text."""
    interface, _, method = name.partition('.')
    return (interface, method) if _is_name(interface, method) else None


def _read(pattern: object) -> tuple[str, str]:
    if isinstance(pattern, str):
        interface, _, method = pattern.partition('.')
        if (interface, method) == (_ANY, _ANY) or _is_name(interface, method):
            return interface, method
        if method == _ANY and interface == BUILTIN:
            raise ValueError(
                "expected the full names of methods of lymph, such as 'lymph.ping', found 'lymph.*'"
            )
        if method == _ANY and _is_name(interface, 'any'):
            return interface, method
    raise ValueError(f'expected {_EXPECTED}, found {quoted(pattern)}')


def _is_name(interface: str, method: str) -> bool:
    return (
        _INTERFACE.fullmatch(interface) is not None
        and method.isidentifier()
        and len(interface.encode(errors='replace')) + len(method.encode(errors='replace')) < SUBJECT
    )
