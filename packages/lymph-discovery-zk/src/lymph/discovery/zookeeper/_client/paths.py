"""Paths of nodes and addresses of servers as people write them, checked before kazoo takes them."""

from __future__ import annotations

import unicodedata

from lymph.config.printable import is_line
from lymph.core.addresses import join_address, parse_address

__all__ = ['DEFAULT_CHROOT', 'check_path', 'read_hosts']

DEFAULT_CHROOT = '/lymph-registry'  # that of lymph 0.15 is /lymph

_PORT = 2181
_RELATIVE = ('', '.', '..')
_REFUSED = ('Cc', 'Co', 'Cs')  # control characters, private use and surrogates, as ZooKeeper does


def check_path(text: str) -> str:
    """Return the absolute path of a node without a slash at its end, so the root is empty.

    Raises ValueError for a path that ZooKeeper refuses.
    """
    path = text[:-1] if text.endswith('/') else text
    characters = is_line(text) and not any(unicodedata.category(c) in _REFUSED for c in text)
    segments = path.split('/')
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
    """Return servers as kazoo takes them: ``host:port,host:port/path``.

    `value` is such text, or a list of servers of which the last may be or end in a path. Spaces
    around servers and commas too many are left out. Raises ValueError for anything else.
    """
    *others, last = value if isinstance(value, list) and value else [value]
    if not all(isinstance(each, str) for each in (*others, last)):
        raise ValueError(_EXPECTED)
    final, slash, path = str(last).partition('/')
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
