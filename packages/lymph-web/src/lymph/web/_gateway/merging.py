"""From what instances say about versions of interfaces to one list of methods, within bounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from lymph.core.versioning import Version, parse_version
from lymph.web._gateway.allowed import Allowed
from lymph.web._gateway.descriptions import AllowedMethod, VersionFacts

__all__ = ['METHODS', 'listed', 'newest']

#: methods of a catalogue
METHODS: Final = 5000
_SCHEMAS: Final = 40_000  # members of both schemas of a method
_ALL_SCHEMAS: Final = 500_000  # members of the schemas of all methods


def listed(
    interfaces: Mapping[str, Mapping[str | None, VersionFacts]], allowed: Allowed
) -> Iterator[AllowedMethod]:
    """Yield the allowed methods of interfaces, sorted by name; at most one more than `METHODS`.

    The schemas of methods that are too large, alone or with those before them, are left out.
    """
    count, left = 0, _ALL_SCHEMAS
    for interface, versions in sorted(interfaces.items()):
        for name, method in sorted(_merged(versions).items()):
            if allowed.admits(interface, name):
                described, size = _bounded(method, left)
                left -= size
                yield described
                count += 1
                if count > METHODS:
                    return


def newest(versions: Iterable[str | None], most: int) -> list[str | None]:
    """Return the newest versions of an interface, at most so many.

    Those without a version count as the newest: they get all calls that name none.
    """
    return sorted(versions, key=lambda each: (each is None, _order(each)))[-most:]


def _merged(versions: Mapping[str | None, VersionFacts]) -> dict[str, AllowedMethod]:
    """Return the methods of all versions of an interface.

    A call without a version goes to any instance of the newest major version, and to those without
    a version. Each method is described as the oldest of these has it, which accepts what all of
    them accept; a method that only older major versions have, as the newest of those has it. A
    method is idempotent only if all versions say so.
    """
    ordered = sorted(versions, key=_order)
    newest = _order(ordered[-1])[0].major if ordered else 0
    usual = [each for each in ordered if each is None or _order(each)[0].major == newest]
    found: dict[str, AllowedMethod] = {}
    for version in [*usual, *(each for each in reversed(ordered) if each not in usual)]:
        for name, method in versions[version].methods.items():
            found.setdefault(name, method)
    having = {name: [each for each in ordered if name in versions[each].methods] for name in found}
    return {
        name: replace(
            method,
            versions=tuple(having[name]),
            idempotent=all(versions[each].methods[name].idempotent for each in having[name]),
        )
        for name, method in found.items()
    }


def _order(version: str | None) -> tuple[Version, bool]:
    try:
        return (Version(0), False) if version is None else (parse_version(version), True)
    except ValueError:
        return Version(0), True


def _bounded(method: AllowedMethod, left: int) -> tuple[AllowedMethod, int]:
    """Return a method without schemas that are too large, and the number of their members."""
    left = min(left, _SCHEMAS)
    size = _size([method.parameters, method.result], left)
    if size <= left:
        return method, size
    problem = 'its schemas are too large'
    return replace(method, parameters={}, result={}, schema_problem=problem), 0


def _size(value: Any, most: int) -> int:
    """Return the number of members of all containers; more than `most` are not counted."""
    size, waiting = 0, [value]
    while waiting and size <= most:
        each = waiting.pop()
        if isinstance(each, (dict, list)):
            size += len(each)
            waiting += each.values() if isinstance(each, dict) else each
    return size
