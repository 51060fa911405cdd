"""The tree of values that a configuration is in memory: immutable, each value with its position.

A change returns a new tree, which shares the unchanged nodes with the old one. Views can therefore
read while another thread changes the configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lymph.config._values.locations import Location, Path, Position, format_path
from lymph.config.exceptions import ConfigurationError
from lymph.config.printable import quoted
from lymph.config.secrets import MASK, is_secret, mask, mask_text

#: Characters: secrets up to this length are not masked in errors, where they may be parts of words.
_PARTICLE = 3
#: Characters of a value that an error shows.
_SHOWN = 40


class ValueNode(NamedTuple):
    """A value: a dict of text to nodes, a list of nodes, or anything else; never changed in place.

    `position` is the line that the value is from, where it is from a file. `text` is a scalar as
    its file spells it, so that `1.10` inside a string stays `1.10`. `shown` replaces a scalar that
    came out of a secret variable wherever people see it.
    """

    value: Any
    position: Position | None = None
    text: str | None = None
    shown: str | None = None


def _no_node(_: object) -> None:
    return None


def wrap(value: object, node_of: Callable[[object], ValueNode | None] = _no_node) -> ValueNode:
    """Return the tree for a value that comes from Python code.

    Arguments: `node_of` returns the tree of a value that has one already, and None for others.

    Raises ConfigurationError for a mapping with a key that is not text.
    """
    node = node_of(value)
    if node is not None:
        return node
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise ConfigurationError(f'keys are text, found {describe(key)}; write it as text')
        return ValueNode({key: wrap(child, node_of) for key, child in value.items()})
    if isinstance(value, list):
        return ValueNode([wrap(child, node_of) for child in value])
    return ValueNode(value)


def plain(node: ValueNode) -> Any:
    """Return a tree as fresh dicts, lists and scalars."""
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [plain(child) for child in node.value]
    return node.value


def masked(node: ValueNode, path: Path = ()) -> Any:
    """Return the tree at `path` as fresh dicts, lists and scalars, with ``***`` for secrets.

    If any key on the path is secret, so are all scalars of the tree.
    """
    secret = next((each for each in map(str, path) if is_secret(each)), '')
    return mask(_shown(node), secret)


def is_secret_path(path: Path) -> bool:
    """Return whether the value at a path must not be shown: any of the keys in it is secret."""
    return any(is_secret(str(segment)) for segment in path)


def _shown(node: ValueNode) -> Any:
    if isinstance(node.value, dict):
        return {key: _shown(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [_shown(child) for child in node.value]
    return node.value if node.shown is None else node.shown


def hide(node: ValueNode) -> ValueNode:
    """Return the tree with all its scalars shown as ``***``, except null, true and false."""
    if isinstance(node.value, dict):
        return node._replace(value={key: hide(child) for key, child in node.value.items()})
    if isinstance(node.value, list):
        return node._replace(value=[hide(child) for child in node.value])
    return node if node.value is None or isinstance(node.value, bool) else node._replace(shown=MASK)


def without_secrets(node: ValueNode, path: Path, text: str) -> str:
    """Return text with ``***`` for the secrets of the tree at `path`.

    Secrets of up to three characters stay: as likely as not, they are parts of ordinary words.
    """
    if isinstance(node.value, (dict, list)):
        children = node.value.items() if isinstance(node.value, dict) else enumerate(node.value)
        for segment, child in children:
            text = without_secrets(child, (*path, segment), text)
    elif node.shown is not None or is_secret_path(path):
        # Errors may quote the value as it is, or with escapes.
        for form in _forms(node.value):
            if len(form) > _PARTICLE:
                text = text.replace(form, MASK)
    return text


def _forms(value: object) -> tuple[str, ...]:
    try:
        return repr(value), str(value)
    except ValueError:  # an int of more digits than Python converts: no error can quote it whole
        return ()


def merge(base: ValueNode, over: ValueNode) -> ValueNode:
    """Return both trees as one: mappings are joined at every depth, other values of `over` win."""
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    joined = dict(base.value)
    for key, child in over.value.items():
        joined[key] = merge(joined[key], child) if key in joined else child
    return ValueNode(joined, over.position or base.position)


def find(root: ValueNode, path: Path) -> ValueNode | None:
    """Return the node at a path, or None if the path leads nowhere.

    Raises ConfigurationError if the path leads through a scalar, or into a list with a segment
    that is not a number.
    """
    node: ValueNode | None = root
    for depth, segment in enumerate(path):
        if node is None:
            return None
        node = _step(root, path, depth, node, segment)
    return node


def assign(root: ValueNode, path: Path, value: ValueNode) -> ValueNode:
    """Return the tree with another value at a path; missing mappings on the way are made.

    Raises ConfigurationError if the path leads through a scalar, or to a place behind the end of a
    list.
    """
    return _assign(root, path, 0, root, value)


def look(root: ValueNode, path: Path) -> ValueNode | None:
    """Return the node at a path, or None if there is none, for any reason; never raises."""
    node: ValueNode | None = root
    for segment in path:
        node = _child(node, segment) if node else None
    return node


def locate(root: ValueNode, path: Path) -> Location:
    """Return the location of a path: with the position of its value, or of the nearest around it.

    The nearest is the innermost mapping or list on the path that has a position.
    """
    position = root.position
    for depth in range(1, len(path) + 1):
        node = look(root, path[:depth])
        position = (node.position if node else None) or position
    return Location(format_path(path), position)


def error_at(root: ValueNode, path: Path, text: str) -> ConfigurationError:
    """Return an error about the value at a path; the value is masked in `text` if it is secret."""
    node = look(root, path)
    return ConfigurationError(
        without_secrets(node, path, text) if node else text, locate(root, path)
    )


def describe(value: object, path: Path = ()) -> str:
    """Return the words for a value that an error has found: `text 'abc'`, `the number 5`, `a list`.

    If a key on the path is secret, only the kind of the value is named.
    """
    secret = is_secret_path(path)
    match value:
        case None:
            return 'nothing'
        case str() if secret:
            return 'text that is not shown'
        case int() | float() if secret and not isinstance(value, bool):
            return 'a number that is not shown'
        case bool():
            return 'true' if value else 'false'
        case int() | float():
            return f'the number {quoted(value)}'
        case str():
            return f'text {quoted(_shortened(mask_text(value)), _SHOWN * 4)}'
        case Mapping():
            return 'a mapping'
        case list():
            return 'a list'
        case _ if secret:
            return f'a {type(value).__name__} that is not shown'
    return f'{quoted(value, _SHOWN)} ({type(value).__name__})'


def _child(node: ValueNode, segment: str | int) -> ValueNode | None:
    if isinstance(node.value, dict):
        return node.value.get(str(segment))
    index = _index(node, segment)
    return None if index is None else node.value[index]


def _index(node: ValueNode, segment: str | int) -> int | None:
    """Return the index that a segment stands for, or None if the node is no list or too short."""
    if not isinstance(node.value, list) or not (isinstance(segment, int) or segment.isdecimal()):
        return None
    index = int(segment)
    return index if 0 <= index < len(node.value) else None


def _step(
    root: ValueNode, path: Path, depth: int, node: ValueNode, segment: str | int
) -> ValueNode | None:
    """Return the child of `node`, which is at `path[:depth]`, or None if there is none.

    Raises ConfigurationError as `find` does.
    """
    if node.value is None or isinstance(node.value, dict):
        # null counts as a mapping without keys
        return _child(node, segment) if node.value else None
    if isinstance(node.value, list) and (isinstance(segment, int) or segment.isdecimal()):
        return _child(node, segment)
    raise ConfigurationError(
        f'expected a mapping with {quoted(str(segment))} in it, found '
        f'{describe(node.value, path[:depth])}',
        locate(root, path[:depth]),
    )


def _assign(
    root: ValueNode, path: Path, depth: int, node: ValueNode | None, value: ValueNode
) -> ValueNode:
    """Return `node`, which is at `path[:depth]`, with another value at `path`.

    Raises ConfigurationError as `assign` does.
    """
    if depth == len(path):
        return value
    segment = path[depth]
    # A mapping that is missing, or has no value, is made.
    if node is None or node.value is None:
        node = ValueNode({}, node.position if node else None)
    child = _assign(root, path, depth + 1, _step(root, path, depth, node, segment), value)
    if isinstance(node.value, dict):
        return node._replace(value={**node.value, str(segment): child})
    # `_step` has raised for anything but mappings and lists, so this is a list.
    index = _index(node, segment)
    if index is None:
        raise ConfigurationError(
            f'expected a list with an item {segment}, found {len(node.value)} items',
            locate(root, path[:depth]),
        )
    return node._replace(value=[*node.value[:index], child, *node.value[index + 1 :]])


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else f'{text[: _SHOWN - 3]}...'
