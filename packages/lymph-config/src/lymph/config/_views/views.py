"""Reading and changing a subtree of a configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from lymph.config._values.locations import Location
from lymph.config._values.nodes import (
    Node,
    assign,
    describe,
    find,
    locate,
    look,
    masked,
    merge,
    plain,
    without_secrets,
    wrap,
)
from lymph.config._values.paths import Key, Path, parse_key
from lymph.config._views.store import Store
from lymph.config._views.typed import Required, TypedGetters
from lymph.config.exceptions import ConfigurationError, MissingKeyError
from lymph.config.suggestions import close_name

if TYPE_CHECKING:
    from lymph.config._views.configuration import Configuration

__all__ = ['ConfigView']

_T = TypeVar('_T')
_D = TypeVar('_D')


class ConfigView(TypedGetters, Mapping[str, Any]):
    """A live window on the mapping at `prefix` of a configuration (manual, 5.3).

    Where nothing is at the prefix, or null, the view is empty. A key is text, dotted for values
    further down (`'registry.zkclient'`), or a list of literal segments (`['echo@1.5.0', 'class']`).
    Text that is a key of this very mapping means that key, dots or not.

    Values come back like this: a mapping as a ConfigView, `dep:name` as the shared object, a list
    with its items treated likewise, anything else as it is.

    Every method raises ConfigurationError where the way to the key leads through something that is
    no mapping.
    """

    def __init__(self, config: ConfigView, prefix: Key = ()) -> None:
        self._store: Store = config._store
        self._path: Path = config.path_of(prefix)

    @property
    def root(self) -> Configuration:
        """The whole configuration."""
        return self._store.root

    def path_of(self, key: Key = ()) -> Path:
        """Return the path from the root to a key of this view."""
        segments = parse_key(key)
        if isinstance(key, str) and segments != (key,):
            here = look(self._store.tree, self._path)
            if here and isinstance(here.value, dict) and key in here.value:
                segments = (key,)
        return (*self._path, *segments)

    # The mapping protocol.

    def __getitem__(self, key: Key) -> Any:
        node = self._find(key)
        if node is None:
            raise self._missing(key)
        return self._store.instances.present(node, self.path_of(key))

    def __contains__(self, key: object) -> bool:
        return isinstance(key, (str, list, tuple)) and self._find(key) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._section())

    def __len__(self) -> int:
        return len(self._section())

    def __eq__(self, other: object) -> bool:
        # The plain values decide: comparing makes no objects.
        theirs = other.get_raw(()) or {} if isinstance(other, ConfigView) else other
        return bool(plain(Node(self._section())) == theirs)

    def __repr__(self) -> str:
        # Values may be secrets.
        return f'<{type(self).__name__} {self.locate()}: {", ".join(self)}>'

    def get(self, key: Key, default: Any = None) -> Any:
        """Return the value at a key, or the default where nothing is."""
        node = self._find(key)
        if node is None:
            return default
        return self._store.instances.present(node, self.path_of(key))

    def get_raw(self, key: Key, default: Any = None) -> Any:
        """Return a copy of the value at a key in plain dicts and lists, or the default.

        `dep:name` stays text and makes nothing.
        """
        node = self._find(key)
        return default if node is None else plain(node)

    def get_masked(self, key: Key, default: Any = None) -> Any:
        """Return what `get_raw` returns, with ``***`` in place of secrets (`lymph.config.secrets`).

        What a variable with a secret name has been filled in for is a secret, too.
        """
        node = self._find(key)
        return default if node is None else masked(node, self.path_of(key))

    def view(self, key: Key) -> ConfigView:
        """Return the view of a key: empty where nothing is or null.

        Raises ConfigurationError for anything else that is no mapping.
        """
        view = ConfigView(self, key)
        len(view)
        return view

    # Errors that name the place.

    def locate(self, key: Key = ()) -> Location:
        """Return where a key stands: its line, or else that of the nearest thing around it."""
        return locate(self._store.tree, self.path_of(key))

    def error(self, key: Key, text: str) -> ConfigurationError:
        """Return an error about the value at a key, for the caller to raise.

        `text` says what was expected, what was found and what to do. The value of a secret key is
        masked in it.
        """
        return ConfigurationError(self._without_secrets(key, text), self.locate(key))

    def describe(self, key: Key) -> str:
        """Return what an error says it found at a key: `text 'abc'`, `the number 5`, `a list`."""
        node = self._find(key)
        return 'nothing' if node is None else self._describe(node, key)

    # Changes: what comes from Python code is taken as it is, `$(...)` included.

    def set(self, key: Key, value: object) -> None:
        """Put a value at a key, in place of what is there; mappings on the way are made.

        Raises ConfigurationError behind the end of a list.
        """
        self._assign(self.path_of(key), wrap(value))

    def setdefault(self, key: Key, default: object = None) -> Any:
        """Return the value at a key, after putting the default there if nothing is."""
        if key not in self:
            self.set(key, default)
        return self[key]

    def update(self, values: Mapping[str, Any]) -> None:
        """Merge a mapping into this one: mappings are joined at every depth, the rest replaced.

        Its keys are literal.
        """
        base = Node(self._section(), locate(self._store.tree, self._path).position)
        self._assign(self._path, merge(base, wrap(values)))

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
        a `from_config` method is given the view of the section; any other gets the values of the
        section as keyword arguments. `kwargs` are passed on, and win over the section's values.

        Where `dep:name` stands at the key, the result is the shared object, without `kwargs`.

        Raises ConfigurationError if the factory cannot be had or does not take the arguments; an
        error of the factory, or of its module while it is imported, passes unchanged.
        """
        return self._store.instances.create(self.path_of(key), default_class, group, kwargs)

    def get_instance(
        self,
        key: Key,
        default_class: object = None,
        *,
        group: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Return the one object of a key: made as by `create_instance`, by whoever asks first."""
        return self._store.instances.share(self.path_of(key), default_class, group, kwargs)

    def _find(self, key: Key) -> Node | None:
        return find(self._store.tree, self.path_of(key))

    def _section(self) -> dict[str, Node]:
        node = find(self._store.tree, self._path)
        if node is None or node.value is None:
            return {}
        if not isinstance(node.value, dict):
            raise self.error((), f'expected a mapping, found {self._describe(node, ())}')
        return node.value

    def _without_secrets(self, key: Key, text: str) -> str:
        path = self.path_of(key)
        node = look(self._store.tree, path)
        return without_secrets(node, path, text) if node else text

    def _describe(self, node: Node, key: Key) -> str:
        value = node.value if node.shown is None else node.shown
        return describe(value, self.path_of(key))

    def _assign(self, path: Path, node: Node) -> None:
        if not path and not isinstance(node.value, dict):
            raise ConfigurationError(f'a configuration is a mapping, found {describe(node.value)}')
        self._store.tree = assign(self._store.tree, path, node)

    def _missing(self, key: Key) -> MissingKeyError:
        path = self.path_of(key)
        around = look(self._store.tree, path[:-1])
        names = around.value if around and isinstance(around.value, dict) else {}
        if str(path[-1]) in names:
            return MissingKeyError('expected a value, found nothing; add it', self.locate(key))
        close = close_name(str(path[-1]), names)
        advice = f', but {close!r} is; check the spelling' if close else '; add it'
        return MissingKeyError(f'not set{advice}', self.locate(key))

    def _read(self, key: Key, default: _D | Required, reader: Callable[[object], _T]) -> _T | _D:
        node = self._find(key)
        if node is None or node.value is None:
            if isinstance(default, Required):
                raise self._missing(key)
            return default
        try:
            value = reader(plain(node))
        except ValueError as error:
            raise self.error(key, f'{error}, found {self._describe(node, key)}') from None
        if isinstance(node.value, list):
            return reader(self._store.instances.present(node, self.path_of(key)))
        return value


@wrap.register(ConfigView)
def _(value: ConfigView) -> Node:
    # With its lines, and without making the objects that it names.
    return Node(value._section(), value.locate().position)  # noqa: SLF001 - a part of the class
