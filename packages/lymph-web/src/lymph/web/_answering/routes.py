"""The checks of an interface's `url_map`: every endpoint is a method that fits.

What can be known of a class is checked when the class is made. Methods may also be added by
subclasses, and `url_map` may be set in `__init__`, so all is checked before the interface serves.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from werkzeug.routing import Map, Rule

from lymph.config import ConfigurationError
from lymph.config.suggestions import close_name
from lymph.core._declaring.checking import is_reserved
from lymph.core._work.forms import deferred_form

__all__ = ['answers', 'check_endpoints', 'check_routes']

_OWN: Final[set[object]] = set()

M = TypeVar('M', bound=Callable[..., Any])


def answers(method: M) -> M:
    """Mark a method of one of lymph's own interfaces: a `url_map` may name it."""
    _OWN.add(method)
    return method


def check_endpoints(cls: type, url_map: object) -> None:
    """Raise TypeError if a rule names a method of a class that cannot answer requests."""
    if not isinstance(url_map, Map):
        return  # `check_routes` reports it
    for rule in _answered(url_map):
        problem = _endpoint_problem(cls, rule.endpoint)
        if problem is not None:
            raise TypeError(f'{cls.__qualname__}.url_map: {_endpoint_text(rule)}: {problem}')


def check_routes(interface: object, url_map: object) -> None:
    """Raise ConfigurationError unless each rule names a method that takes its URL values."""
    where = f'{type(interface).__name__}.url_map'
    if not isinstance(url_map, Map):
        raise ConfigurationError(
            f'expected a werkzeug.routing.Map, found {type(url_map).__name__}', where
        )
    for rule in _answered(url_map):
        _check_rule(interface, rule, where)


def _answered(url_map: Map) -> Iterator[Rule]:
    for rule in url_map.iter_rules():
        if not rule.build_only and rule.redirect_to is None:
            yield rule


def _endpoint_text(rule: Rule) -> str:
    return f'rule {rule.rule!r} expects a method {rule.endpoint!r} that answers requests'


def _endpoint_problem(cls: type, name: object) -> str | None:
    """Return why the method of this name cannot answer requests, None if it can or is unknown."""
    if not isinstance(name, str):
        return None
    method = inspect.getattr_static(cls, name, None)
    if isinstance(method, (property, functools.cached_property)):
        return f'found a {type(method).__name__}; write a plain `def`'
    if callable(method) and method not in _OWN and is_reserved(cls, name):
        return 'interfaces use this name themselves; give the method another one'
    problem = deferred_form(method)
    return problem and f'found {problem}'


def _check_rule(interface: object, rule: Rule, where: str) -> None:
    name = rule.endpoint
    problem = _endpoint_problem(type(interface), name)
    if problem is not None:
        raise ConfigurationError(f'{_endpoint_text(rule)}: {problem}', where)
    method = getattr(interface, name, None) if isinstance(name, str) else None
    if not callable(method):
        close = close_name(name, _methods(interface))
        advice = f'; did you mean {close!r}?' if close else ''
        raise ConfigurationError(
            f'rule {rule.rule!r} expects a method {name!r}, '
            f'which {type(interface).__name__} does not have{advice}',
            where,
        )
    problem = deferred_form(method)  # one that was set on this object
    if problem is not None:
        raise ConfigurationError(f'{_endpoint_text(rule)}: found {problem}', where)
    # `bind` checks only names, so all values, and the request, can be None.
    arguments = dict.fromkeys(rule.arguments | set(rule.defaults or ()))
    try:
        inspect.signature(method).bind(None, **arguments)
    except TypeError as error:
        takes = ', '.join(['request', *sorted(arguments)])
        raise ConfigurationError(
            f'rule {rule.rule!r} expects {name!r} to take ({takes}): {error}', where
        ) from None


def _methods(interface: object) -> list[str]:
    return [name for name in dir(type(interface)) if not name.startswith('_')]
