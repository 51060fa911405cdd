"""The entry points and versions of the installed distributions.

The result is that of `importlib.metadata`, without importing it: that takes longer than anything
else in a short command, since it brings the parser of e-mails along. It is asked only where
something on `sys.path` is no folder, such as a zip file, or an importer of others knows more.

==================== ===============================================================================
`*.dist-info`        a folder with `entry_points.txt` and `METADATA`; editable installs have one too
`*.egg-info`         a folder with `entry_points.txt` and `PKG-INFO`, or nothing but that as a file
`*.egg/EGG-INFO`     a folder like that
==================== ===============================================================================

Sources: the Core metadata specifications and the Entry points specification, packaging.python.org.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import PathFinder
from typing import NamedTuple

from lymph.config.lazy import lazy
from lymph.config.printable import printable

__all__ = ['EntryPoint', 'entry_points', 'refresh', 'version']

_ENTRY_POINTS = 'entry_points.txt'
#: Where the name and the version stand, in the order in which these are tried; '' is a file itself.
_METADATA = ('METADATA', 'PKG-INFO', '')
_SUFFIXES = ('.dist-info', '.egg-info')

_Read = Callable[[str], 'str | None']

_importable = lazy('importlib.metadata:distributions')
_logger = lazy('logging:getLogger')


class EntryPoint(NamedTuple):
    """One line of an `entry_points.txt`, and the distribution that it is from."""

    group: str
    name: str
    value: str
    distribution: str
    version: str


class _Distribution(NamedTuple):
    """What was found of a distribution; `read` returns the text of one of its files, if any."""

    place: str
    read: _Read
    groups: dict[str, list[tuple[str, str]]]


def entry_points(group: str) -> list[EntryPoint]:
    """Return the entry points of a group, in the order of `sys.path`.

    A distribution that is there twice (an editable one beside its wheel, a .pth file that doubles a
    folder) counts once, as the first of them: that is where imports come from, too. One with
    metadata that cannot be read is logged and left out. The environment is searched once for each
    value of `sys.path`; `refresh()` forgets what was found.
    """
    return list(_published(group, tuple(map(str, sys.path))))


def version(name: str) -> str:
    """Return the version of an installed distribution; raises LookupError if there is none."""
    wanted = _normalized(name)
    for place, read in _found(tuple(map(str, sys.path))):
        try:
            if _name_in(place, read) == wanted:
                return _facts(read)[1]
        except Exception as error:  # noqa: BLE001 - an importer of others may raise anything
            _pass_over(place, error)
    raise LookupError(f'the distribution {name} is not installed')


def refresh() -> None:
    """Make the next call search the environment again."""
    _search.cache_clear()
    _published.cache_clear()


@functools.cache
def _published(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    found: list[EntryPoint] = []
    for distribution in _search(path):
        entries = distribution.groups.get(group)
        if entries:
            try:
                facts = _facts(distribution.read)
            except Exception as error:  # noqa: BLE001 - as above
                _pass_over(distribution.place, error)
                continue
            found += [EntryPoint(group, *entry, *facts) for entry in entries]
    return tuple(found)


@functools.cache
def _search(path: tuple[str, ...]) -> tuple[_Distribution, ...]:
    """Return the distributions that have entry points."""
    seen = set()
    found = []
    for place, read in _found(path):
        try:
            name = _name_in(place, read)
            if name in seen:
                continue
            seen.add(name)
            text = read(_ENTRY_POINTS)
            if text:
                found.append(_Distribution(place, read, _parsed(text)))
        except Exception as error:  # noqa: BLE001 - as above
            _pass_over(place, error)
    return tuple(found)


def _found(path: tuple[str, ...]) -> Iterator[tuple[str, _Read]]:
    """Yield the place of each distribution and what reads its files."""
    if _is_plain(path):
        for folder in path:
            for place in _places(folder):
                yield place, functools.partial(_read, place)
    else:
        for distribution in _importable():
            # `_path` is the folder of the metadata, where there is one; its name counts
            place = getattr(distribution, '_path', None) or distribution.locate_file('')
            yield str(place), distribution.read_text


def _is_plain(path: tuple[str, ...]) -> bool:
    """Tell whether nothing but folders is on the path, and nobody else knows distributions."""
    return not any(
        finder is not PathFinder and hasattr(finder, 'find_distributions')
        for finder in sys.meta_path
    ) and not any(os.path.isfile(folder) for folder in path)


def _places(folder: str) -> Iterator[str]:
    try:
        names = os.listdir(folder or os.curdir)
    except OSError:  # not there, or not ours to read
        return
    is_egg = folder.lower().endswith('.egg')
    eggs = []
    for name in names:
        low = name.lower()
        if low.endswith(_SUFFIXES):
            yield os.path.join(folder, name)
        elif is_egg and low == 'egg-info':
            eggs.append(os.path.join(folder, name))
    yield from eggs


def _read(place: str, name: str) -> str | None:
    # Old tools wrote the names of authors in any encoding; an entry point has to be right.
    errors = 'strict' if name == _ENTRY_POINTS else 'replace'
    path = os.path.join(place, name) if name else place
    try:
        with open(path, encoding='utf-8', errors=errors) as file:
            return file.read()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError):
        return None


def _parsed(text: str) -> dict[str, list[tuple[str, str]]]:
    """Return names and values by group; raises ValueError for a line that is neither."""
    groups: dict[str, list[tuple[str, str]]] = {}
    entries: list[tuple[str, str]] | None = None
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith('#'):
            continue
        if line.startswith('[') and line.endswith(']'):
            entries = groups.setdefault(line.strip('[]'), [])
        elif entries is not None:
            name, equals, value = line.partition('=')
            if not equals:
                raise ValueError(f'expected NAME = VALUE, found {line!r}')
            entries.append((name.strip(), value.strip()))
    return groups


def _name_in(place: str, read: _Read) -> str:
    """Return a distribution's name as its folder spells it, or else as its metadata does.

    In the name of a folder, hyphens only stand between name, version and Python's version.
    """
    stem, suffix = os.path.splitext(os.path.basename(place))
    if suffix in _SUFFIXES and stem.count('-') <= 1:
        return _normalized(stem.partition('-')[0])
    try:
        return _normalized(_facts(read)[0])
    except LookupError:
        return place


def _normalized(name: str) -> str:
    for separator in '-_.':
        name = name.replace(separator, ' ')
    return '-'.join(name.lower().split())


def _facts(read: _Read) -> tuple[str, str]:
    """Return the name and the version of a distribution; raises LookupError without a name."""
    text = next(filter(None, map(read, _METADATA)), '')
    found: dict[str, str] = {}
    for line in text.splitlines():
        if not line:
            break  # the description follows
        key, colon, value = line.partition(':')
        if colon and not key[:1].isspace():
            found.setdefault(key.lower(), value.strip())
    if not found.get('name'):
        raise LookupError('no name in its metadata')
    return found['name'], found.get('version', '')


def _pass_over(place: str, error: Exception) -> None:
    logger = _logger(__name__)
    reason = printable(f'{type(error).__name__}: {error}', 300)
    logger.warning('%s is passed over, its metadata cannot be read: %s', printable(place), reason)
    logger.debug('the error in %s', printable(place), exc_info=error)
