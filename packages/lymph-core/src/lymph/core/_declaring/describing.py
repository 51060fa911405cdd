"""Signatures as text for people: annotations as their author wrote them, defaults as their repr.

Annotations and defaults are objects of other people's code. Their text is made printable and cut;
an object whose `repr` raises is described by the name of its type.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final

from lymph.config.printable import printable
from lymph.core.failures import Killed

__all__ = ['annotation_text', 'parameter_text', 'value_text']

_LONGEST: Final = 200  # characters of an annotation or a default
_NAME: Final = 100  # characters of the name of a type
#: a name qualified by its module or function (``shop.models.Order``, ``f.<locals>.Order``)
_DOTTED: Final = re.compile(
    # a match begins at the start of a word: starting at each character would take quadratic time
    r'(?<![^\s\[\](){},|=\'"])[^\s\[\](){},|=\'"]+\.([^\W\d]\w*)'
)


def parameter_text(func: Callable[..., Any], parameter: inspect.Parameter) -> str:
    """Return a parameter as it was written: ``text``, ``text: str``, ``text: str = 'x'``."""
    annotation = annotation_text(func, parameter.annotation)
    default = value_text(parameter.default)
    if annotation is None:
        return parameter.name if default is None else f'{parameter.name}={default}'
    described = f'{parameter.name}: {annotation}'
    return described if default is None else f'{described} = {default}'


def annotation_text(func: Callable[..., Any], annotation: object) -> str | None:
    """Return an annotation of a function as text, None where there is none.

    Annotations that are strings (quoted, or postponed by ``from __future__``) are not evaluated, so
    names that exist only for type checkers are fine. In other annotations a class is printed with
    its short name if the module of `func` knows it by that name, otherwise with its full name.
    """
    if annotation is inspect.Parameter.empty:
        return None
    if isinstance(annotation, str):
        return printable(' '.join(annotation.split()), _LONGEST)
    names: Mapping[str, Any] = getattr(inspect.unwrap(func), '__globals__', {})

    def shortened(name: re.Match[str]) -> str:
        return name[1] if _is_called(names.get(name[1]), name[0]) else name[0]

    return _safe(annotation, lambda: _DOTTED.sub(shortened, inspect.formatannotation(annotation)))


def value_text(value: object) -> str | None:
    """Return the repr of a default, None where there is none."""
    return None if value is inspect.Parameter.empty else _safe(value, lambda: repr(value))


def _is_called(found: object, full_name: str) -> bool:
    """Tell whether `found`, a global of a module, is the class with this full name."""
    module, _, name = full_name.rpartition('.')
    if module == 'typing':
        return found is not None and found is getattr(typing, name, None)
    return isinstance(found, type) and f'{found.__module__}.{found.__qualname__}' == full_name


def _safe(value: object, text: Callable[[], str]) -> str:
    try:
        return printable(text(), _LONGEST)
    except Killed:
        raise
    except BaseException:  # noqa: BLE001 - the edge of a `repr` of others
        return f'<{printable(type(value).__name__, _NAME)} without a repr>'
