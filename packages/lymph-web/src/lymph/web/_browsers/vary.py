"""The header field ``Vary``: which fields of a request an answer depends on."""

from __future__ import annotations

__all__ = ['add_vary']


def add_vary(fields: list[tuple[str, str]], *names: str) -> None:
    """Add names to the ``Vary`` of an answer's fields, unless they are there or it is ``*``."""
    said = [value for name, value in fields if name.lower() == 'vary']
    listed = [each.strip() for value in said for each in value.split(',') if each.strip()]
    known = {each.lower() for each in listed}
    added = [name for name in names if name.lower() not in known]
    if added and '*' not in known:
        fields[:] = [field for field in fields if field[0].lower() != 'vary']
        fields.append(('Vary', ', '.join([*listed, *added])))
