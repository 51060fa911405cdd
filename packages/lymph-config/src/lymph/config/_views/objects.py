"""What all views of one configuration share: its values, and the objects made from them.

A mapping with a `class` key describes an object. `dep:name` stands for the one object that the
section `dependencies.name` describes; it is made on first use.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from typing import Any

from lymph.config._values.locations import Path, format_path
from lymph.config._values.nodes import ValueNode, describe, error_at, find, locate
from lymph.config.exceptions import ConfigurationError
from lymph.config.lazy import lazy
from lymph.config.places import noted
from lymph.config.printable import quoted
from lymph.config.suggestions import close_names

# Only those who make objects pay for the lookup of plugins.
_installed = lazy('lymph.config.plugins:installed')
_load_plugin: Callable[..., object] = lazy('lymph.config.plugins:load_plugin')
_load_reference: Callable[..., object] = lazy('lymph.config.references:load_reference')

_DEPENDENCIES = 'dependencies'
_PREFIX = 'dep:'
_MAKING = 'making the object'


class SharedState:
    """The values of one configuration, and the shared objects that were made from them.

    `tree` holds the current values. Each change replaces it: no node is ever changed in place.

    Arguments: `view` returns the view of a path; views are a layer above, so it is passed in.
    """

    def __init__(self, view: Callable[[Path], object]) -> None:
        self.tree = ValueNode({})
        self._view = view
        self._made: dict[Path, Any] = {}
        self._lock = threading.RLock()
        # The paths of the objects that the thread with the lock is making, outermost first.
        self._making: list[Path] = []

    def create(self, path: Path, default: object, group: str | None, extra: dict[str, Any]) -> Any:
        """Make the object that the section at a path describes.

        For `dep:name` return the shared object. Arguments: `default` is used where the section has
        no `class`; `group` is the entry-point group that `class` may name a plugin of; `extra` are
        more keyword arguments for the factory, which win over the section's values.

        Raises ConfigurationError if the factory cannot be loaded, cannot be called, or does not
        accept the arguments. What the factory raises passes unchanged.
        """
        node = find(self.tree, path)
        name = _dependency_in(node.value) if node else None
        if name is not None:
            return self._dependency(name, path)
        factory = self._factory(path, default, group)
        build = getattr(factory, 'from_config', None)
        if callable(build):
            with noted(locate(self.tree, path), _MAKING):
                return build(self._view(path), **extra)
        if not callable(factory):
            raise error_at(
                self.tree,
                (*path, 'class'),
                f'expected a class or a function, found {describe(factory)}',
            )
        # Values that `extra` replaces are skipped, so objects of `dep:` among them are not made.
        own: dict[str, ValueNode] = (node.value if node else None) or {}
        arguments = {
            key: self._argument(child, (*path, key))
            for key, child in own.items()
            if key not in ('class', *extra)
        } | extra
        self._check_arguments(path, factory, arguments)
        with noted(locate(self.tree, path), _MAKING):
            return factory(**arguments)

    def share(self, path: Path, default: object, group: str | None, extra: dict[str, Any]) -> Any:
        """Return the one object of a path, made as by `create` on first use.

        Threads that ask at the same time get the same object.

        Raises ConfigurationError as `create` does, and if making the object asks for itself.
        """
        return self._share(path, path, default, group, extra)

    def present(self, node: ValueNode, path: Path) -> Any:
        """Return a value as `get` does: a mapping as a view, `dep:name` as the shared object.

        Raises ConfigurationError if a dependency is not defined or cannot be made.
        """
        if isinstance(node.value, dict):
            return self._view(path)
        return self._resolve(node, path, self.present)

    def _argument(self, node: ValueNode, path: Path) -> Any:
        """Return a value as factories without `from_config` get it: a mapping as a dict."""
        if isinstance(node.value, dict):
            return {key: self._argument(child, (*path, key)) for key, child in node.value.items()}
        return self._resolve(node, path, self._argument)

    def _resolve(self, node: ValueNode, path: Path, inner: Callable[[ValueNode, Path], Any]) -> Any:
        if isinstance(node.value, list):
            return [inner(child, (*path, index)) for index, child in enumerate(node.value)]
        name = _dependency_in(node.value)
        return node.value if name is None else self._dependency(name, path)

    def _dependency(self, name: str, asked_at: Path) -> Any:
        """Return the object that `dep:name` at the path `asked_at` stands for.

        Raises ConfigurationError if it is not defined or cannot be made.
        """
        path = (_DEPENDENCIES, name)
        if find(self.tree, path) is None:
            section = find(self.tree, path[:1])
            # `dependencies:` may be missing, or have no value
            defined = {} if section is None or section.value is None else section.value
            if not isinstance(defined, dict):
                text = f'expected a mapping, found {describe(defined)}'
                raise error_at(self.tree, path[:1], text)
            known = list(defined)
            raise ConfigurationError(
                f'no dependency {quoted(name)} (defined: {", ".join(known) or "none"})'
                + (close_names(name, known) or f'; define it under {_DEPENDENCIES}.{name}'),
                locate(self.tree, asked_at),
            )
        return self._share(path, asked_at, None, None, {})

    def _share(
        self,
        path: Path,
        asked_at: Path,
        default: object,
        group: str | None,
        extra: dict[str, Any],
    ) -> Any:
        """Return the one object of a path, which the value at the path `asked_at` asks for.

        Raises ConfigurationError as `create` does, and if the path is already being made.
        """
        # The lock is reentrant: what is being made may ask for other objects. A second thread
        # waits until the object exists, instead of making another one.
        with self._lock:
            if path in self._made:
                return self._made[path]
            if path in self._making:
                steps = [*self._making[self._making.index(path) :], path]
                raise ConfigurationError(
                    f'leads in a circle: {" -> ".join(map(_named, steps))}; break it',
                    locate(self.tree, asked_at),
                )
            self._making.append(path)
            try:
                self._made[path] = self.create(path, default, group, extra)
            finally:
                self._making.pop()
            return self._made[path]

    def _factory(self, path: Path, default: object, group: str | None) -> object:
        """Return what `class` names, or the default; plugins are checked by their contract.

        Raises ConfigurationError if that is neither a callable nor a reference or plugin that can
        be loaded.
        """
        at = (*path, 'class')
        node = find(self.tree, at)
        # `class:` without a value counts as no class.
        chosen = default if node is None or node.value is None else node.value
        where = locate(self.tree, at)
        if isinstance(chosen, str):
            if group is None:
                return _load_reference(chosen, where=where)
            return _load_plugin(group, chosen, where=where)
        if callable(chosen):
            return chosen
        expected = 'expected a reference package.module:Name'
        if group is not None:
            listed = ', '.join(_installed(group)) or 'none'
            expected = (
                f'expected a plugin of group {group} (installed: {listed}) or package.module:Name'
            )
        raise ConfigurationError(f'{expected}, found {describe(chosen)}', where)

    def _check_arguments(
        self, path: Path, factory: Callable[..., Any], given: dict[str, Any]
    ) -> None:
        """Reject arguments that the factory does not accept, before its own code runs.

        Raises ConfigurationError. A TypeError from inside the factory can no longer be taken for
        a mistake in the configuration.
        """
        try:
            signature = inspect.signature(factory)
        except (TypeError, ValueError):
            return  # Written in C without a signature: it checks its arguments itself.
        try:
            signature.bind(**given)
        except TypeError as error:
            name = getattr(factory, '__qualname__', repr(factory))
            listed = ', '.join(given) or 'no arguments'
            text = f'{name} cannot be called with {listed}: {error}'
            raise error_at(self.tree, path, text) from error


def _dependency_in(value: object) -> str | None:
    """Return the name in `dep:name`, or None for any other value."""
    if isinstance(value, str) and value.startswith(_PREFIX):
        return value.removeprefix(_PREFIX)
    return None


def _named(path: Path) -> str:
    if len(path) == 2 and path[0] == _DEPENDENCIES:
        return f'{_PREFIX}{path[1]}'
    return format_path(path)
