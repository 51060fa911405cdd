"""The check of an interface's `url_map` before it serves: every endpoint is a method that fits."""

from __future__ import annotations

import inspect

from werkzeug.routing import Map, Rule

from lymph.config import ConfigurationError
from lymph.config.suggestions import close_name

__all__ = ['check_routes']


def check_routes(interface: object, url_map: object) -> None:
    """Raise ConfigurationError unless each rule names a method that takes its URL values."""
    where = f'{type(interface).__name__}.url_map'
    if not isinstance(url_map, Map):
        raise ConfigurationError(
            f'expected a werkzeug.routing.Map, found {type(url_map).__name__}', where
        )
    for rule in url_map.iter_rules():
        if not rule.build_only and rule.redirect_to is None:
            _check_rule(interface, rule, where)


def _check_rule(interface: object, rule: Rule, where: str) -> None:
    name = rule.endpoint
    method = getattr(interface, name, None) if isinstance(name, str) else None
    if not callable(method):
        close = close_name(name, _methods(interface))
        advice = f'; did you mean {close!r}?' if close else ''
        raise ConfigurationError(
            f'rule {rule.rule!r} expects a method {name!r}, '
            f'which {type(interface).__name__} does not have{advice}',
            where,
        )
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
