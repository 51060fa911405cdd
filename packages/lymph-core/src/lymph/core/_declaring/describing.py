"""Signatures as text for people: annotations as their author wrote them, defaults as their repr.

Annotations and defaults are objects of other people's code. Their text is printable and bounded;
what has none, because its `repr` fails, is named by its type.
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
#: a name with that of its module, or function (``f.<locals>.Name``), in front
_DOTTED: Final = re.compile(
    # matches begin with a word alone: a search from each of its characters would be quadratic
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
    """Return an annotation of a function, None where there is none.

    Postponed annotations, and those in quotes, are text, which is not evaluated: names that exist
    for a type checker alone are fine. Of others, a class has the name it has in the module of
    `func`, and its full name if it is not known there.
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
    """Tell whether `found`, a global of a module, has this full name."""
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
