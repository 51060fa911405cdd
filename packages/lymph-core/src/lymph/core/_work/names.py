"""Checks that no resource hides an attribute that components use themselves."""

from __future__ import annotations

import inspect

from lymph.config.printable import printable

__all__ = ['check_resource_names']

_NAME = 200  # characters of the name of a class


def check_resource_names(cls: type) -> None:
    """Raise TypeError if a resource in the body of a class replaces an attribute of lymph's own."""
    for name, attribute in vars(cls).items():
        declaration = inspect.getattr_static(attribute, '_lymph_declaration', None)
        if getattr(declaration, 'kind', None) == 'resource' and _is_taken(cls, name):
            raise TypeError(
                f'{printable(cls.__qualname__, _NAME)}.{name}: '
                'components use this name themselves; give the resource another one'
            )


def _is_taken(cls: type, name: str) -> bool:
    return any(
        name in vars(base) or name in inspect.get_annotations(base)
        for base in cls.__mro__[1:]
        if base.__module__.partition('.')[0] == 'lymph'
    )
