"""Names as safe parts of a path, in a directory and in ZooKeeper.

Ordinary names are unchanged. Bytes with a meaning in paths, a dot at the beginning and everything
but plain ASCII are written as ``%XX``; the empty name is ``%``.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

from lymph.config.printable import quoted
from lymph.core.facts import check_name

__all__ = ['escape', 'name_in', 'unescape']


def escape(name: str) -> str:
    """Return `name` as a part of a path; different names stay different."""
    escaped = quote(name, safe='@+,=:', errors='surrogatepass').replace('~', '%7E')
    if escaped.startswith('.'):
        escaped = f'%2E{escaped[1:]}'
    return escaped or '%'


def unescape(part: str) -> str:
    """Return the name that `escape` made `part` from.

    Raises UnicodeDecodeError if the escaped bytes are not UTF-8.
    """
    return '' if part == '%' else unquote(part, errors='surrogatepass')


def name_in(part: str) -> str:
    """Return the name of the service that `part` of a path stands for.

    Raises ValueError for a part that `escape` cannot have made, so that lymph has not written it.
    """
    try:
        name = unescape(part)
    except UnicodeDecodeError:
        name = ''
    if escape(name) != part:
        raise ValueError(f'expected an escaped name, found {quoted(part)}')
    return check_name(name)
