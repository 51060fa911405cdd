"""Names and docstrings of classes, for their schemas."""

from __future__ import annotations

import inspect
import re
import typing
from typing import Any, Final

from lymph.config.printable import printable

__all__ = ['class_docstring', 'class_name']

_NAME: Final = 100  # characters of a name
_TEXT: Final = 2000  # characters of a docstring
_LAYERS: Final = 4  # of type arguments inside each other


def class_name(cls: Any, layers: int = _LAYERS) -> str:
    """Return the name of a class; that of a generic one has its arguments: ``Box_int``."""
    names = [str(getattr(typing.get_origin(cls) or cls, '__name__', 'type'))]
    if layers:
        names += [class_name(each, layers - 1) for each in typing.get_args(cls)]
    return re.sub(r'[^A-Za-z0-9_]+', '_', '_'.join(names))[:_NAME]


def class_docstring(cls: Any) -> str:
    """Return the docstring of a class, '' if there is none or a library has generated it."""
    plain = typing.get_origin(cls) or cls
    doc = vars(plain).get('__doc__')
    if not isinstance(doc, str) or doc.startswith((f'{plain.__name__}(', 'An enumeration.')):
        return ''
    return '\n'.join(printable(line, _TEXT) for line in inspect.cleandoc(doc[:_TEXT]).splitlines())
