"""Reading and changing a part of a configuration."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from enum import Enum
from typing import Any, TypeVar

from lymph.config._values.locations import Key, Location, Path, parse_key
from lymph.config._values.nodes import (
    ValueNode,
    assign,
    describe,
    error_at,
    find,
    is_secret_path,
    locate,
    look,
    masked,
    merge,
    plain,
    wrap,
)
from lymph.config._views.objects import SharedState
from lymph.config._views.typed import (
    MILLISECOND,
    YEAR,
    read_bool,
    read_choice,
    read_float,
    read_int,
    read_line,
    read_list,
    read_seconds,
    read_str,
)
from lymph.config.exceptions import ConfigurationError, MissingKeyError
from lymph.config.suggestions import close_name

__all__ = ['ConfigView', 'to_node']

T = TypeVar('T')
D = TypeVar('D')


class Required(Enum):
    """The default of a getter without a default: the key must be set."""

    REQUIRED = 'required'


REQUIRED = Required.REQUIRED


class ConfigView(Mapping[str, Any]):
    """A live view of the mapping at `prefix` of a configuration (manual, 5.3).

    Where nothing is set at the prefix, or null, the view is empty. A key is text, dotted for values
    further down (`'registry.zkclient'`), or a list of literal segments (`['echo@1.5.0', 'class']`).
    Text that is a key of this very mapping means that key, with or without dots.

    Values are returned like this: a mapping as a ConfigView, `dep:name` as the shared object, a
    list with its items treated likewise, anything else as it is.

    The typed getters, from `get_int` to `get_list`, return the default if the key is not set or
    null; without a default, they raise MissingKeyError then. They raise ConfigurationError if the
    value is of another type or out of range; ranges include their ends.

    Every method raises ConfigurationError if the path to the key leads through a value that is
    neither a mapping nor a list, and TypeError for a key that is neither text nor a list.
    """

    def __init__(self, config: ConfigView, prefix: Key = ()) -> None:
        self._root: ConfigView = config._root
        self._state: SharedState = config._state
        self._path: Path = config.path_of(prefix)

    @property
    def root(self) -> ConfigView:
        """The whole `Configuration` that this is a view of."""
        return self._root

    def path_of(self, key: Key = ()) -> Path:
        """Return the path from the root to a key of this view."""
        segments = parse_key(key)
        if isinstance(key, str) and segments != (key,):
            here = look(self._state.tree, self._path)
            if here and isinstance(here.value, dict) and key in here.value:
                segments = (key,)
        return (*self._path, *segments)

    # The mapping protocol.

    def __getitem__(self, key: Key) -> Any:
        """Return the value at a key. Raises MissingKeyError if the key is not set."""
        node = self._find(key)
        if node is None:
            raise self._missing(key)
        return self._state.present(node, self.path_of(key))

    def __contains__(self, key: object) -> bool:
        return isinstance(key, (str, list, tuple)) and self._find(key) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._section())

    def __len__(self) -> int:
        return len(self._section())

    def __eq__(self, other: object) -> bool:
        # The plain values decide: comparing makes no objects.
        theirs = other.get_raw(()) or {} if isinstance(other, ConfigView) else other
        return bool(plain(ValueNode(self._section())) == theirs)

    def __repr__(self) -> str:
        # Only keys: values may be secrets.
        return f'<{type(self).__name__} {self.locate()}: {", ".join(self)}>'

    def get(self, key: Key, default: Any = None) -> Any:
        """Return the value at a key, or the default if the key is not set; null is a value."""
        node = self._find(key)
        return default if node is None else self._state.present(node, self.path_of(key))

    def get_raw(self, key: Key, default: Any = None) -> Any:
        """Return a copy of the value at a key in plain dicts and lists, or the default.

        `dep:name` stays text; no object is made.
        """
        node = self._find(key)
        return default if node is None else plain(node)

    def get_masked(self, key: Key, default: Any = None) -> Any:
        """Return what `get_raw` returns, with ``***`` in place of secrets (`lymph.config.secrets`).

        What came out of a variable with a secret name is a secret, too.
        """
        node = self._find(key)
        return default if node is None else masked(node, self.path_of(key))

    def view(self, key: Key) -> ConfigView:
        """Return the view of a key: empty if the key is not set or null.

        Raises ConfigurationError if the value is anything else than a mapping.
        """
        view = ConfigView(self, key)
        view._section()
        return view

    # Typed getters: see the docstring of the class.

    def get_int(
        self,
        key: Key,
        default: D | Required = REQUIRED,
        *,
        minimum: int | None = None,
        maximum: int | None = None,
    ) -> int | D:
        """Return a whole number from `minimum` to `maximum`; booleans are rejected."""
        return self._read(key, default, lambda value: read_int(value, minimum, maximum))

    def get_float(
        self,
        key: Key,
        default: D | Required = REQUIRED,
        *,
        minimum: float | None = None,
        maximum: float | None = None,
    ) -> float | D:
        """Return a finite number from `minimum` to `maximum` as a float; booleans are rejected."""
        return self._read(key, default, lambda value: read_float(value, minimum, maximum))

    def get_seconds(
        self,
        key: Key,
        default: D | Required = REQUIRED,
        *,
        zero: bool = False,
        least: float = MILLISECOND,
        maximum: float = YEAR,
    ) -> float | D:
        """Return a duration in seconds, from `least` to `maximum`; with `zero`, 0 as well."""
        return self._read(key, default, lambda value: read_seconds(value, zero, least, maximum))

    def get_bool(self, key: Key, default: D | Required = REQUIRED) -> bool | D:
        """Return a boolean; the text `true`, `yes`, `on`, `false`, `no` or `off` is read as one."""
        return self._read(key, default, read_bool, fixed=True)

    def get_str(self, key: Key, default: D | Required = REQUIRED) -> str | D:
        """Return text; numbers are rejected: of `1.10` without quotes, YAML has left 1.1."""
        return self._read(key, default, read_str)

    def get_line(self, key: Key, default: D | Required = REQUIRED) -> str | D:
        """Return text that is not blank and has no control characters: a name, path, address."""
        return self._read(key, default, read_line)

    def get_choice(
        self, key: Key, choices: Collection[str], default: D | Required = REQUIRED
    ) -> str | D:
        """Return one of several words; upper and lower case differ."""
        return self._read(key, default, lambda value: read_choice(value, choices), fixed=True)

    def get_list(self, key: Key, default: D | Required = REQUIRED) -> list[Any] | D:
        """Return a new list, with its items as `get` returns values."""
        found = self._read(key, default, read_list)
        # Its items may be sections and dependencies, which only `get` presents.
        return found if found is default else self.get(key)

    # Errors that name the place.

    def locate(self, key: Key = ()) -> Location:
        """Return the location of a key: its own line, or that of the nearest mapping around it."""
        return locate(self._state.tree, self.path_of(key))

    def error(self, key: Key, text: str) -> ConfigurationError:
        """Return an error about the value at a key, for the caller to raise.

        `text` says what was expected, what was found and what to do. The value of a secret key is
        masked in it.
        """
        return error_at(self._state.tree, self.path_of(key), text)

    def describe(self, key: Key) -> str:
        """Return the words for the value at a key: `text 'abc'`, `the number 5`, `a list`."""
        node = self._find(key)
        return 'nothing' if node is None else self._describe(node, key)

    # Changes: values from Python code are taken as they are, `$(...)` included.

    def set(self, key: Key, value: object) -> None:
        """Set the value at a key; mappings on the way to it are made.

        Raises ConfigurationError for a place behind the end of a list, for keys in `value` that
        are not text, and for the empty key of a configuration if `value` is no mapping.
        """
        self._assign(self.path_of(key), to_node(value))

    def setdefault(self, key: Key, default: object = None) -> Any:
        """Set the value at a key if the key is not set, then return the value.

        Raises ConfigurationError as `set` does.
        """
        if key not in self:
            self.set(key, default)
        return self[key]

    def update(self, values: Mapping[str, Any]) -> None:
        """Merge a mapping into this one: mappings are joined at every depth, the rest is replaced.

        The keys of `values` are literal: dots mean nothing in them.

        Raises ConfigurationError for keys that are not text.
        """
        base = ValueNode(self._section(), locate(self._state.tree, self._path).position)
        self._assign(self._path, merge(base, to_node(values)))

    # Objects.

    def create_instance(
        self,
        key: Key,
        default_class: object = None,
        *,
        group: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Make the object that the section at a key describes.

        Its factory is named by `class`, or else is `default_class`: a reference `pkg.mod:Name`, a
        factory, or, if `group` is an entry-point group, the name of a plugin in it. A factory with
        a `from_config` method gets the view of the section; any other gets the values of the
        section as keyword arguments. `kwargs` are passed on, and win over the section's values.

        Where `dep:name` stands at the key, the result is the shared object, without `kwargs`.

        Raises ConfigurationError if the factory cannot be loaded or does not accept the arguments;
        an error of the factory, or of its module while it is imported, passes unchanged.
        """
        return self._state.create(self.path_of(key), default_class, group, kwargs)

    def get_instance(
        self,
        key: Key,
        default_class: object = None,
        *,
        group: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Return the one object of a key, made as by `create_instance` on first use.

        Raises ConfigurationError as `create_instance` does, and if making the object asks for
        itself.
        """
        return self._state.share(self.path_of(key), default_class, group, kwargs)

    def _find(self, key: Key) -> ValueNode | None:
        return find(self._state.tree, self.path_of(key))

    def _section(self) -> dict[str, ValueNode]:
        """Return the mapping of this view. Raises ConfigurationError if it is something else."""
        node = find(self._state.tree, self._path)
        if node is None or node.value is None:
            return {}
        if not isinstance(node.value, dict):
            raise self.error((), f'expected a mapping, found {self._describe(node, ())}')
        return node.value

    def _describe(self, node: ValueNode, key: Key) -> str:
        value = node.value if node.shown is None else node.shown
        return describe(value, self.path_of(key))

    def _assign(self, path: Path, node: ValueNode) -> None:
        """Replace the node at a path. Raises ConfigurationError as `set` does."""
        if not path and not isinstance(node.value, dict):
            raise ConfigurationError(f'a configuration is a mapping, found {describe(node.value)}')
        self._state.tree = assign(self._state.tree, path, node)

    def _missing(self, key: Key) -> MissingKeyError:
        path = self.path_of(key)
        around = look(self._state.tree, path[:-1])
        names = around.value if around and isinstance(around.value, dict) else {}
        if str(path[-1]) in names:
            return MissingKeyError('expected a value, found nothing; add it', self.locate(key))
        close = close_name(str(path[-1]), names)
        advice = f', but {close!r} is; check the spelling' if close else '; add it'
        return MissingKeyError(f'not set{advice}', self.locate(key))

    def _read(
        self,
        key: Key,
        default: D | Required,
        reader: Callable[[object], T],
        *,
        fixed: bool = False,
    ) -> T | D:
        """Return what a reader makes of the value at a key, or the default.

        A `fixed` set of values has no secrets: in `cookies: {samesite: x}`, the error shows `x`
        although the name of the section is secret.

        Raises MissingKeyError without value and default, and ConfigurationError in place of the
        reader's ValueError.
        """
        node = self._find(key)
        if node is None or node.value is None:
            if isinstance(default, Required):
                raise self._missing(key)
            return default
        try:
            return reader(plain(node))
        except ValueError as error:
            own = self.path_of(key)[-1:]
            if fixed and node.shown is None and not is_secret_path(own):
                text = f'{error}, found {describe(node.value, own)}'
                raise ConfigurationError(text, self.locate(key)) from None
            raise self.error(key, f'{error}, found {self._describe(node, key)}') from None


def to_node(value: object) -> ValueNode:
    """Return the tree for a value from Python code.

    Views in it keep the lines of their files, and the objects that they name are not made.

    Raises ConfigurationError for a mapping with a key that is not text.
    """
    return wrap(value, _node_of_view)


def _node_of_view(value: object) -> ValueNode | None:
    if not isinstance(value, ConfigView):
        return None
    return ValueNode(value._section(), value.locate().position)  # noqa: SLF001 - its own module
