"""Objects made from sections: the factory behind `class`, its arguments, and what is shared.

A mapping with a `class` key describes an object. `dep:name` stands for the one object that the
section `dependencies.name` describes; it is made when it is first asked for.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lymph.config._values.locations import Location
from lymph.config._values.nodes import Node, describe, find, locate
from lymph.config._values.paths import Path, format_path
from lymph.config.exceptions import ConfigurationError
from lymph.config.places import noted
from lymph.config.plugins import installed, load_plugin
from lymph.config.printable import quoted
from lymph.config.references import load_reference
from lymph.config.suggestions import close_names

if TYPE_CHECKING:
    from lymph.config._views.views import ConfigView

_DEPENDENCIES = 'dependencies'
_PREFIX = 'dep:'
_MAKING = 'making the object'


class Instances:
    """Makes the objects of one configuration and keeps those that are shared.

    Arguments: `tree` returns the present values; `view` returns the view of a path.
    """

    def __init__(self, tree: Callable[[], Node], view: Callable[[Path], ConfigView]) -> None:
        self._tree = tree
        self._view = view
        self._made: dict[Path, Any] = {}
        self._lock = threading.RLock()
        # What the holder of the lock is making, outermost first.
        self._making: list[Path] = []

    def create(self, path: Path, default: object, group: str | None, extra: dict[str, Any]) -> Any:
        """Make the object that a path describes; for `dep:name` return the shared one.

        Raises ConfigurationError if the factory cannot be had or does not take the arguments.
        """
        node = find(self._tree(), path)
        name = _dependency_in(node.value) if node else None
        if name is not None:
            return self._dependency(name, path)
        view = self._view(path)
        factory = _factory(view, default, group)
        build = getattr(factory, 'from_config', None)
        if callable(build):
            with noted(view.locate(), _MAKING):
                return build(view, **extra)
        if not callable(factory):
            raise view.error('class', f'expected a class or a function, found {describe(factory)}')
        own: dict[str, Node] = (node.value if node else None) or {}
        arguments = {
            key: self._arguments(child, (*path, key))
            for key, child in own.items()
            if key not in ('class', *extra)
        } | extra
        _check_arguments(view, factory, arguments)
        with noted(view.locate(), _MAKING):
            return factory(**arguments)

    def share(self, path: Path, default: object, group: str | None, extra: dict[str, Any]) -> Any:
        """Return the one object of a path, making it when it is asked for first.

        Raises ConfigurationError as `create` does, and if making it asks for itself.
        """
        return self._share(path, path, lambda: self.create(path, default, group, extra))

    def present(self, node: Node, path: Path) -> Any:
        """Return a value as readers see it: mappings as views, dependencies as their objects."""
        if isinstance(node.value, dict):
            return self._view(path)
        return self._resolve(node, path, self.present)

    def _arguments(self, node: Node, path: Path) -> Any:
        """Return a value as plain factories see it: mappings as dicts."""
        if isinstance(node.value, dict):
            return {key: self._arguments(child, (*path, key)) for key, child in node.value.items()}
        return self._resolve(node, path, self._arguments)

    def _resolve(self, node: Node, path: Path, inner: Callable[[Node, Path], Any]) -> Any:
        if isinstance(node.value, list):
            return [inner(child, (*path, index)) for index, child in enumerate(node.value)]
        name = _dependency_in(node.value)
        return node.value if name is None else self._dependency(name, path)

    def _dependency(self, name: str, asked_at: Path) -> Any:
        path = (_DEPENDENCIES, name)
        if find(self._tree(), path) is None:
            known = self._view((_DEPENDENCIES,))
            raise ConfigurationError(
                f'no dependency {quoted(name)} (defined: {", ".join(known) or "none"})'
                + (close_names(name, known) or f'; define it under {_DEPENDENCIES}.{name}'),
                locate(self._tree(), asked_at),
            )
        return self._share(path, asked_at, lambda: self.create(path, None, None, {}))

    def _share(self, path: Path, asked_at: Path, make: Callable[[], Any]) -> Any:
        with self._lock:
            if path in self._made:
                return self._made[path]
            if path in self._making:
                steps = [*self._making[self._making.index(path) :], path]
                raise ConfigurationError(
                    f'leads in a circle: {" -> ".join(map(_named, steps))}; break it',
                    locate(self._tree(), asked_at),
                )
            self._making.append(path)
            try:
                self._made[path] = make()
            finally:
                self._making.pop()
            return self._made[path]


def _dependency_in(value: object) -> str | None:
    """Return the name in `dep:name`, or None for any other value."""
    if isinstance(value, str) and value.startswith(_PREFIX):
        return value.removeprefix(_PREFIX)
    return None


def _factory(view: ConfigView, default: object, group: str | None) -> object:
    named = view.get_raw(['class'])
    chosen = default if named is None else named
    where: Location = view.locate(['class'])
    if isinstance(chosen, str):
        if group is None:
            return load_reference(chosen, where=where)
        return load_plugin(group, chosen, where=where)
    if callable(chosen):
        return chosen
    expected = 'expected a reference package.module:Name'
    if group is not None:
        listed = ', '.join(installed(group)) or 'none'
        expected = (
            f'expected a plugin of group {group} (installed: {listed}) or package.module:Name'
        )
    raise ConfigurationError(f'{expected}, found {describe(chosen)}', where)


def _check_arguments(view: ConfigView, factory: Callable[..., Any], given: dict[str, Any]) -> None:
    """Refuse arguments that the factory cannot take, before its own code runs."""
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):
        return  # Written in C without a signature: it checks its arguments itself.
    try:
        signature.bind(**given)
    except TypeError as error:
        name = getattr(factory, '__qualname__', repr(factory))
        listed = ', '.join(given) or 'no arguments'
        raise view.error((), f'{name} cannot be called with {listed}: {error}') from error


def _named(path: Path) -> str:
    if len(path) == 2 and path[0] == _DEPENDENCIES:
        return f'{_PREFIX}{path[1]}'
    return format_path(path)
