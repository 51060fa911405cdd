"""Interface versions, as in ``echo@1.5.0``, and which of them serves a request.

A request for ``1.2`` is served by >= 1.2.0 and < 2.0.0: same major version, not older. A request
without a version is served by the newest major version there is, and by what has no version. Of
several that serve a request any does, wherever they run: minor versions are compatible, and the
first instance of a new one gets its share of the calls, not all of them.
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
        """Tell whether an interface of this version answers requests for `wanted`."""
        return self.major == wanted.major and self >= wanted


def serving(candidates: Iterable[tuple[Version | None, T]], wanted: Version | None) -> list[T]:
    """Return the candidates, each given with its version, that serve requests for `wanted`.

    Without a wanted version these are all of the newest major version, and what has no version; the
    latter serves no requests for a version.
    """
    known = list(candidates)
    if wanted is not None:
        return [each for version, each in known if version is not None and version.serves(wanted)]
    newest = max((version.major for version, _ in known if version is not None), default=0)
    return [each for version, each in known if version is None or version.major == newest]


def parse_version(text: str) -> Version:
    """Read ``1``, ``1.2`` or ``1.2.3``; raises ValueError for anything else."""
    match = _VERSION.fullmatch(text)
    if match is None:
        raise ValueError(f'expected a version like 1.2 or 1.2.3, found {quoted(text)}')
    return Version(*(int(part) for part in match.groups(default='0')))


def parse_name(text: str) -> tuple[str, Version | None]:
    """Split ``name@version`` (also ``name.method@version``); no version gives None.

    Raises ValueError for an empty name or a bad version.
    """
    name, at, version = text.partition('@')
    if not name:
        raise ValueError(f'expected name or name@version, found {quoted(text)}')
    return name, parse_version(version) if at else None
