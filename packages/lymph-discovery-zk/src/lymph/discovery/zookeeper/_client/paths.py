"""Check the paths of nodes and the addresses of servers before they are passed to kazoo."""

from __future__ import annotations

import unicodedata

from lymph.config.printable import is_line
from lymph.core.addresses import join_address, parse_address

__all__ = ['DEFAULT_CHROOT', 'check_path', 'read_hosts']

DEFAULT_CHROOT = '/lymph-registry'  # lymph 0.15 uses /lymph

_PORT = 2181
_RELATIVE = ('', '.', '..')
_REFUSED = ('Cc', 'Co', 'Cs')  # control characters, private use and surrogates, as ZooKeeper does


def check_path(text: str) -> str:
    """Return the absolute path of a node without its trailing slash; the root is empty text.

    Raises ValueError for a relative path, and for one that ZooKeeper refuses.
    """
    path = text[:-1] if text.endswith('/') else text
    characters = is_line(text) and not any(unicodedata.category(c) in _REFUSED for c in text)
    segments = path.split('/')
    # `/` is the root, with an empty path; empty text has one too, but is no path.
    absolute = segments[0] == '' and text.startswith('/')
    if characters and absolute and all(map(_is_name, segments[1:])):
        return path
    raise ValueError(
        "expected a path like /lymph-registry, without '.', '..', empty names and spaces around "
        'names'
    )


def _is_name(segment: str) -> bool:
    return segment not in _RELATIVE and segment == segment.strip()


def read_hosts(value: object) -> str:
    """Return servers in kazoo's format: ``host:port,host:port/path``.

    `value` is text in that format, or a list of servers, of which the last may end in a path.
    Missing ports become 2181; spaces around servers and superfluous commas are removed. Raises
    ValueError for anything else.
    """
    # An empty list is as wrong as a value of another type.
    *others, last = value if isinstance(value, list) and value else [value]
    if not all(isinstance(each, str) for each in (*others, last)):
        raise ValueError(_EXPECTED)
    final, slash, path = str(last).partition('/')
    # For kazoo, all behind the first slash is the path: another server there would be part of it.
    if ',' in path:
        raise ValueError(_ONE_PATH)
    servers = [each.strip() for text in (*others, final) for each in text.split(',')]
    try:
        found = [parse_address(each) for each in servers if each]
    except ValueError:
        found = []
    if not found:
        raise ValueError(_EXPECTED)
    joined = ','.join(join_address(host, port or _PORT) for host, port in found)
    return joined + (check_path(f'/{path.strip()}') if slash else '')


_ONE_PATH = 'expected one path, behind the last server, as in host1:2181,host2:2181/path'
_EXPECTED = 'expected host:port, several of them parted by commas or a list of them'
