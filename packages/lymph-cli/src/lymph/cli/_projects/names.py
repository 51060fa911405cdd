"""The name of a new project, which is a folder, a module and a service at once."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from dataclasses import dataclass

from lymph.config.printable import quoted

__all__ = ['ProjectName', 'read_name']

_NAME = re.compile('[A-Za-z][A-Za-z0-9_]*')
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class ProjectName:
    """`name` is that of the folder, the module and the service; `cls` that of the class."""

    name: str
    cls: str


def read_name(text: str) -> ProjectName:
    """Return the name that `text` stands for; dashes are underscores in Python.

    Raises ValueError for a name that cannot be one, or that would hide a module.
    """
    name = text.replace('-', '_')
    if len(text) > _LONGEST:
        raise ValueError(f'expected at most {_LONGEST} characters, found {len(text)}')
    if '/' in text:
        raise ValueError(f'expected a name and no path, found {quoted(text)}; cd to its folder')
    if not _NAME.fullmatch(name):
        raise ValueError(
            f'expected letters a to z, digits and underscores, a letter first, found {quoted(text)}'
        )
    taken = _taken(name)
    if taken:
        # Not `test_..._service`, which is taken for the same reason.
        other = f'{name.removeprefix("test_")}_service'
        raise ValueError(f'{name!r} is {taken}; choose another name, such as {other}')
    words = [word for word in name.split('_') if word]
    return ProjectName(name, ''.join(word[0].upper() + word[1:] for word in words))


def _taken(name: str) -> str | None:
    """Return what has a name already, so that a module of it would not be found or hide that."""
    if keyword.iskeyword(name):
        return 'a keyword of Python'
    if name == 'lymph':
        return 'lymph itself'
    if name in ('conftest', 'pytest') or name.startswith('test_'):
        return 'a name that means something to pytest'
    if name in sys.stdlib_module_names:
        return 'a module of the standard library'
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # a module without a spec, for example
        return 'a module that is installed'
    return 'a module that is installed' if found is not None else None
