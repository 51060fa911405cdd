"""Interface versions, as in ``echo@1.5.0``, and which of them serves a request.

A request for ``1.2`` is served by >= 1.2.0 and < 2.0.0: same major version, not older. A request
without a version is served by the newest major version there is, and by interfaces without a
version. If several versions serve a request, any of them may get it. Minor versions are compatible,
so the first instance of a new one gets its share of the calls and not all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from lymph.config.printable import quoted

__all__ = ['Version', 'parse_name', 'parse_version', 'serving']

T = TypeVar('T')

_VERSION = re.compile(r'([0-9]{1,9})(?:\.([0-9]{1,9}))?(?:\.([0-9]{1,9}))?')


class Version(NamedTuple):
    """A version of three numbers; missing ones are 0."""

    major: int
    minor: int = 0
    patch: int = 0

    def __str__(self) -> str:
        return f'{self.major}.{self.minor}.{self.patch}'

    def serves(self, wanted: Version) -> bool:
        """Tell whether an interface of this version serves requests for `wanted`."""
        return self.major == wanted.major and self >= wanted


def serving(candidates: Iterable[tuple[Version | None, T]], wanted: Version | None) -> list[T]:
    """Return the candidates that serve requests for `wanted`; each is given with its version.

    If `wanted` is None, these are all candidates of the newest major version and all without a
    version. Candidates without a version do not serve requests for a version.
    """
    known = list(candidates)
    if wanted is not None:
        return [each for version, each in known if version is not None and version.serves(wanted)]
    newest = max((version.major for version, _ in known if version is not None), default=0)
    return [each for version, each in known if version is None or version.major == newest]


def parse_version(text: str) -> Version:
    """Return the version in ``1``, ``1.2`` or ``1.2.3``; raises ValueError for other text."""
    match = _VERSION.fullmatch(text)
    if match is None:
        raise ValueError(f'expected a version like 1.2 or 1.2.3, found {quoted(text)}')
    return Version(*(int(part) for part in match.groups(default='0')))


def parse_name(text: str) -> tuple[str, Version | None]:
    """Split ``name@version`` or ``name.method@version``; without ``@`` the version is None.

    Raises ValueError for an empty name and for an invalid version.
    """
    name, at, version = text.partition('@')
    if not name:
        raise ValueError(f'expected name or name@version, found {quoted(text)}')
    return name, parse_version(version) if at else None
