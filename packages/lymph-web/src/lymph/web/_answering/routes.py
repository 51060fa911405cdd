"""The checks of an interface's `url_map`: every endpoint fits its rules.

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
from lymph.config.printable import quoted
from lymph.config.suggestions import close_name
from lymph.core._declaring.checking import is_reserved
from lymph.core._work.forms import deferred_form
from lymph.web._answering.endpoints import endpoint_name, handler_methods, method_of
from lymph.web._answering.error_handlers import ErrorHandlers

__all__ = ['answers', 'check_endpoints', 'check_routes']

_OWN: Final[set[object]] = set()

M = TypeVar('M', bound=Callable[..., Any])


def answers(method: M) -> M:
    """Mark a method of one of lymph's own interfaces: a `url_map` may name it."""
    _OWN.add(method)
    return method


_NO_WEBSOCKETS = 'expected a rule for HTTP requests, found websocket=True, which is not served'


def check_endpoints(cls: type, url_map: object) -> None:
    """Raise TypeError if a rule names what cannot answer requests."""
    if not isinstance(url_map, Map):
        return  # `check_routes` reports it
    for rule in url_map.iter_rules():
        problem = _problem_of_class(cls, rule)
        if problem is not None:
            raise TypeError(f'{cls.__qualname__}.url_map: {problem}')


def check_routes(interface: object, url_map: object, server_name: str | None = None) -> None:
    """Raise ConfigurationError unless each rule names what takes its URL values.

    Rules with a subdomain need the `server_name` that it is part of.
    """
    where = f'{type(interface).__name__}.url_map'
    if not isinstance(url_map, Map):
        raise ConfigurationError(
            f'expected a werkzeug.routing.Map, found {type(url_map).__name__}', where
        )
    for rule in url_map.iter_rules():
        problem = _problem_of_class(type(interface), rule) or _problem(interface, rule)
        if problem is None and server_name is None and rule.subdomain and not url_map.host_matching:
            problem = (
                f'rule {rule.rule!r} is for the subdomain {quoted(rule.subdomain)}; '
                'set server_name to the host name that it is part of'
            )
        if problem is not None:
            raise ConfigurationError(problem, where)


def _is_answered(rule: Rule) -> bool:
    return not rule.build_only and rule.redirect_to is None


def _problem_of_class(cls: type, rule: Rule) -> str | None:
    """Return why a rule of a class can never be answered, None if it can or is unknown."""
    if rule.websocket:
        return f'rule {rule.rule!r}: {_NO_WEBSOCKETS}'
    if not _is_answered(rule):
        return None
    endpoint = rule.endpoint
    name = method_of(cls, endpoint)
    if name is not None:
        problem = _method_problem(cls, name)
        return problem and f'{_expected_method(rule, name)}: {problem}'
    if isinstance(endpoint, type):
        return _class_problem(endpoint, rule)
    if callable(endpoint):
        return _callable_problem(endpoint, rule, endpoint_name(endpoint), 'request')
    return (
        f'rule {rule.rule!r} expects the name of a method, a callable, or a class with methods '
        f'such as get as endpoint, found {quoted(endpoint)}'
    )


def _expected_method(rule: Rule, name: str) -> str:
    return f'rule {rule.rule!r} expects a method {name!r} that answers requests'


def _method_problem(cls: type, name: str) -> str | None:
    """Return why the method of this name cannot answer requests, None if it can or is unknown."""
    method = inspect.getattr_static(cls, name, None)
    if isinstance(method, (property, functools.cached_property)):
        return f'found a {type(method).__name__}; write a plain `def`'
    if callable(method) and is_reserved(cls, name) and method not in _OWN:
        return 'interfaces use this name themselves; give the method another one'
    problem = deferred_form(method)
    return problem and f'found {problem}'


def _problem(interface: object, rule: Rule) -> str | None:
    """Return why the method that a rule names does not fit, None if it does."""
    name = method_of(type(interface), rule.endpoint)
    if name is None or not _is_answered(rule):
        return None
    method = getattr(interface, name, None)
    if not callable(method):
        close = close_name(name, _methods(interface))
        advice = f'; did you mean {close!r}?' if close else ''
        return (
            f'rule {rule.rule!r} expects a method {name!r}, '
            f'which {type(interface).__name__} does not have{advice}'
        )
    problem = deferred_form(method)  # one that was set on this object
    if problem is not None:
        return f'{_expected_method(rule, name)}: found {problem}'
    return _callable_problem(method, rule, name, 'request')


def _callable_problem(called: Any, rule: Rule, name: str, *first: str) -> str | None:
    problem = deferred_form(called)
    if problem is not None:
        return f'rule {rule.rule!r} expects {name!r} to answer requests: found {problem}'
    # `bind` checks only names, so all values, and the request, can be None.
    values = sorted(rule.arguments | set(rule.defaults or ()))
    problem = _misfit(called, *[None] * len(first), **dict.fromkeys(values))
    if problem is not None:
        takes = ', '.join([*first, *values])
        return f'rule {rule.rule!r} expects {name!r} to take ({takes}): {problem}'
    return None


def _misfit(called: Any, *args: None, **kwargs: None) -> str | None:
    try:
        signature = inspect.signature(called)
    except (TypeError, ValueError):  # of a built-in function, for example
        return None
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        return str(error)
    return None


def _class_problem(cls: type, rule: Rule) -> str | None:
    """Return why a handler class does not fit a rule, None if it does."""
    name = endpoint_name(cls)
    methods = handler_methods(cls)
    if not methods:
        return (
            f'rule {rule.rule!r} expects a class with get, post, or a method for another HTTP '
            f'method, found {name!r}, which has none'
        )
    if ErrorHandlers.of(cls):
        return (
            f'rule {rule.rule!r} names {name!r}, which has error handlers; '
            'an interface has the error handlers for its requests'
        )
    missing = sorted((rule.methods or set()) - {*methods, 'OPTIONS'})
    if missing:
        return f'rule {rule.rule!r} is for {", ".join(missing)}, for which {name!r} has no method'
    problem = _misfit(cls, None, None)
    if inspect.isabstract(cls):
        problem = f'abstract methods {", ".join(sorted(getattr(cls, "__abstractmethods__", ())))}'
    if problem is not None:
        return (
            f'rule {rule.rule!r} expects {name!r} to be made with (interface, request), as '
            f'lymph.web.RequestHandler is: {problem}'
        )
    for http_method, method in methods.items():
        if rule.methods is None or http_method in rule.methods:
            problem = _handler_method_problem(cls, method, rule, f'{name}.{method}')
            if problem is not None:
                return problem
    return None


def _handler_method_problem(cls: type, method: str, rule: Rule, name: str) -> str | None:
    found = inspect.getattr_static(cls, method)
    if isinstance(found, (property, functools.cached_property)):
        found = f'found a {type(found).__name__}; write a plain `def`'
        return f'rule {rule.rule!r} expects {name!r} to answer requests: {found}'
    bound = isinstance(found, (staticmethod, classmethod))
    return _callable_problem(getattr(cls, method), rule, name, *([] if bound else ['self']))


def _methods(interface: object) -> Iterator[str]:
    return (name for name in dir(type(interface)) if not name.startswith('_'))
