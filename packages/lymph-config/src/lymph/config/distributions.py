"""The entry points and versions of the installed distributions.

The results are those of `importlib.metadata`, which is not imported, because that takes longer than
anything else in a short command: it imports the parser of e-mails. It is asked only where
`sys.path` has anything but folders, such as a zip file, or where an importer of somebody else knows
distributions.

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
#: Files with name and version, in the order in which they are tried; '' is the place itself.
_METADATA = ('METADATA', 'PKG-INFO', '')
_SUFFIXES = ('.dist-info', '.egg-info')

_Read = Callable[[str], 'str | None']

_importable = lazy('importlib.metadata:distributions')
_logger = lazy('logging:getLogger')


class EntryPoint(NamedTuple):
    """One line of an `entry_points.txt`, with the name and the version of its distribution."""

    group: str
    name: str
    value: str
    distribution: str
    version: str


class _Distribution(NamedTuple):
    """A distribution with entry points; `groups` are their names and values by group.

    `place` is its folder or file of metadata, `read` returns the text of a file in it, or None.
    """

    place: str
    read: _Read
    groups: dict[str, list[tuple[str, str]]]


def entry_points(group: str) -> list[EntryPoint]:
    """Return the entry points of a group, in the order of `sys.path`.

    If a distribution is found twice (an editable install beside a wheel, a .pth file that doubles a
    folder), the first one counts, as it does for imports. If its metadata cannot be read, it is
    left out with a warning in the log; if an importer of somebody else fails, only folders are
    searched, with a warning. The environment is searched once for each value of
    `sys.path`; `refresh()` forgets the results.
    """
    return list(_published(group, tuple(map(str, sys.path))))


def version(name: str) -> str:
    """Return the version of an installed distribution, or '' if its metadata has none.

    Names are compared as pip compares them: case, hyphens, dots and underscores do not matter.

    Raises LookupError if no such distribution is installed.
    """
    wanted = _normalized(name)
    for place, read in _found(tuple(map(str, sys.path))):
        try:
            if _name_in(place, read) == wanted:
                return _facts(read)[1]
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - importers of others may raise anything
            _ignore(place, error)
    raise LookupError(f'the distribution {name} is not installed')


def refresh() -> None:
    """Forget the results of all searches; the next call searches again."""
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
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - as above
                _ignore(distribution.place, error)
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
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - as above
            _ignore(place, error)
    return tuple(found)


def _found(path: tuple[str, ...]) -> Iterator[tuple[str, _Read]]:
    """Yield the place of each distribution and a function that reads the files in it."""
    if not _is_plain(path):
        try:
            found = [(str(each.locate_file('')), each.read_text) for each in _importable()]
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - importers of others may raise anything
            _warn('distributions are looked for in folders alone, an importer failed', error)
        else:
            yield from found
            return
    for folder in path:
        for place in _places(folder):
            yield place, functools.partial(_read, place)


def _is_plain(path: tuple[str, ...]) -> bool:
    """Return whether there are only folders on the path, and no importers but Python's."""
    return not any(
        finder is not PathFinder and hasattr(finder, 'find_distributions')
        for finder in sys.meta_path
    ) and not any(os.path.isfile(folder) for folder in path)


def _places(folder: str) -> Iterator[str]:
    try:
        names = os.listdir(folder or os.curdir)
    except OSError:  # missing, or without permission
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
    # Old tools wrote the names of authors in any encoding. Entry points are names in code: a wrong
    # character in them is an error.
    errors = 'strict' if name == _ENTRY_POINTS else 'replace'
    path = os.path.join(place, name) if name else place
    try:
        with open(path, encoding='utf-8', errors=errors) as file:
            return file.read()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError):
        return None


def _parsed(text: str) -> dict[str, list[tuple[str, str]]]:
    """Return the names and values in an `entry_points.txt` by group.

    Raises ValueError for a line that is neither a group, a comment nor `NAME = VALUE`.
    """
    groups: dict[str, list[tuple[str, str]]] = {}
    # None before the first group: lines there are ignored, as in importlib.metadata.
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
    """Return the normalized name of a distribution, from the name of its folder if possible.

    That saves reading a file. With more than one hyphen, the name of a folder cannot be taken
    apart reliably, and the metadata is read. If that has no name, the place stands for it.
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
    """Return the name and the version of a distribution. Raises LookupError if it has no name."""
    text = next(filter(None, map(read, _METADATA)), '')
    found: dict[str, str] = {}
    for line in text.splitlines():
        if not line:
            break  # end of the headers; the description follows
        key, colon, value = line.partition(':')
        if colon and not key[:1].isspace():
            found.setdefault(key.lower(), value.strip())
    if not found.get('name'):
        raise LookupError('no name in its metadata')
    return found['name'], found.get('version', '')


def _ignore(place: str, error: BaseException) -> None:
    _warn(f'{printable(place)} is passed over, its metadata cannot be read', error)


def _warn(text: str, error: BaseException) -> None:
    logger = _logger(__name__)
    logger.warning('%s: %s', text, printable(f'{type(error).__name__}: {error}', 300))
    logger.debug('the error behind it: %s', text, exc_info=error)
