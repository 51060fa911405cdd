"""Parse YAML into a tree of values that know their lines: plain data, and every key as written.

PyYAML composes its nodes, and `_Builder` turns them into ours. It rejects what PyYAML's own
constructor accepts but configurations must not hold: tags for Python objects, repeated keys,
cycles, and aliases that multiply without bound.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from lymph.config._values.locations import Location, Path, Position, format_path
from lymph.config._values.nodes import ValueNode, is_secret_path
from lymph.config.exceptions import ConfigurationError
from lymph.config.printable import QUOTED, printable, quoted
from lymph.config.secrets import mask_text

#: libyaml's parser where PyYAML was built with it, else PyYAML's own, which is slower.
_Loader: Any = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)

_TAG = 'tag:yaml.org,2002:'
_MERGE = _TAG + 'merge'
#: Tags of scalars whose value is their text. `<<` (merge) and `=` (value) have a meaning as keys
#: only.
_TEXT_TAGS = {_TAG + 'str', _MERGE, _TAG + 'value'}
_SCALAR_TAGS = {_TAG + kind for kind in ('null', 'bool', 'int', 'float', 'binary', 'timestamp')}

#: What PyYAML's constructors raise for a scalar that does not fit its tag, such as `!!int ""`.
_UNREADABLE = (
    *(ArithmeticError, AttributeError, LookupError, TypeError, ValueError),
    yaml.YAMLError,
)

#: Levels. libyaml's composer recurses on the C stack: deep nesting would crash the process, where
#: Python raises RecursionError.
_MAX_DEPTH = 100
#: Bits of an integer: more than any setting needs, and short enough to be quoted. Python converts
#: no integers of more than 4300 digits to text.
_MAX_BITS = 4096
_TOO_DEEP = f'nested more than {_MAX_DEPTH} levels deep; write it flatter'
#: Values that aliases may add to a document: a few nested aliases can stand for billions.
_MAX_ALIASED = 100_000


def parse(data: bytes, file: str) -> ValueNode:
    """Return the mapping that a YAML document holds; an empty document is an empty mapping.

    `file` is the name that positions and errors have.

    Raises ConfigurationError, with file and line, for text that is not UTF-8, not YAML, or more
    than one document; for a document that is not a mapping or holds anything but plain data; for a
    repeated key; and above the limits at the top of this file.
    """
    text = _decode(data, file)
    try:
        _check_depth(text, file)
        loader = _Loader(text)
        try:
            document = loader.get_single_node()
            if document is None:
                return ValueNode({}, Position(file))
            return _Builder(loader, file).build_document(document)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise _invalid(error, file, text) from error


def _decode(data: bytes, file: str) -> str:
    """Return the text of a file.

    Raises ConfigurationError, with the line, for bytes that are not UTF-8 and for characters that
    YAML does not allow.
    """
    try:
        text = data.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        line = data.count(b'\n', 0, error.start) + 1
        raise ConfigurationError(
            f'expected UTF-8, found the byte 0x{data[error.start]:02x}; save the file as UTF-8',
            Location(position=Position(file, line)),
        ) from error
    # The two parsers report control characters differently, so they are found here.
    control = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if control:
        raise ConfigurationError(
            f'YAML allows no control character U+{ord(control.group()):04X}; remove it',
            Location(position=Position(file, text.count('\n', 0, control.start()) + 1)),
        )
    return text


def _check_depth(text: str, file: str) -> None:
    """Raise ConfigurationError if the document is nested too deeply for the composer.

    Events are parsed without recursion, so this is safe for any depth.
    """
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1
        if depth > _MAX_DEPTH:
            raise ConfigurationError(_TOO_DEEP, Location(position=_position(event, file)))


def _position(thing: yaml.Node | yaml.Event, file: str) -> Position:
    return Position(file, thing.start_mark.line + 1 if thing.start_mark else None)


def _invalid(error: yaml.YAMLError, file: str, text: str) -> ConfigurationError:
    mark = getattr(error, 'problem_mark', None) or getattr(error, 'context_mark', None)
    problem = getattr(error, 'problem', None) or str(error).partition('\n')[0]
    position = Position(file, mark.line + 1 if mark else None)
    if 'nesting depth' in problem:  # recent versions of libyaml have a limit of their own
        return ConfigurationError(_TOO_DEEP, Location(position=position))
    if mark and _begins_with_tab(text, mark.line):
        return ConfigurationError(
            'not valid YAML: found a tab; indent with spaces', Location(position=position)
        )
    # The problem quotes the name of an alias or anchor, which may be a password: `*secret` and
    # `&secret` without quotes look like these.
    problem = printable(re.sub('(alias|anchor) .*', r'\1', problem), QUOTED)
    column = f' (column {mark.column + 1})' if mark else ''
    return ConfigurationError(
        f'not valid YAML: {problem}{column}; '
        f'check indentation, quotes and brackets here and in the line before',
        Location(position=position),
    )


def _begins_with_tab(text: str, line: int) -> bool:
    found = text.split('\n')[line : line + 1]
    return bool(found) and found[0][: len(found[0]) - len(found[0].lstrip())].count('\t') > 0


class _Builder:
    """Turns the nodes that PyYAML composed into ours, and rejects what is not plain data.

    `_open` are the nodes being built, from the document down: an alias to one of them is a cycle.
    `_built` are those seen at least once: an alias leads to one of them again.
    """

    def __init__(self, loader: Any, file: str) -> None:
        self._loader = loader
        self._file = file
        self._built: set[yaml.Node] = set()
        self._open: set[yaml.Node] = set()
        self._aliased = 0

    def build_document(self, node: yaml.Node) -> ValueNode:
        """Return the whole document as a mapping; null counts as an empty one.

        Raises ConfigurationError if the document is a list or a single value, and for anything in
        it that is not plain data.
        """
        if not isinstance(node, yaml.MappingNode):
            if isinstance(node, yaml.ScalarNode) and node.tag == _TAG + 'null':
                return ValueNode({}, Position(self._file))
            kind = 'a list' if isinstance(node, yaml.SequenceNode) else 'a single value'
            raise ConfigurationError(
                f'expected a mapping of sections, such as `container:`, found {kind}',
                Location(position=_position(node, self._file)),
            )
        return self._build(node, (), Position(self._file))

    def _build(self, node: yaml.Node, path: Path, position: Position) -> ValueNode:
        self._guard_aliases(node, path, position)
        self._open.add(node)
        try:
            if isinstance(node, yaml.MappingNode):
                self._check_tag(node, path, position, {_TAG + 'map'})
                return ValueNode(self._mapping(node, path), position)
            if isinstance(node, yaml.SequenceNode):
                self._check_tag(node, path, position, {_TAG + 'seq'})
                return ValueNode(
                    [
                        self._build(item, (*path, index), _position(item, self._file))
                        for index, item in enumerate(node.value)
                    ],
                    position,
                )
            return self._scalar(node, path, position)
        finally:
            self._open.discard(node)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, ValueNode]:
        """Return the children of a mapping; its own keys win over merged ones.

        Raises ConfigurationError for a key that is not a scalar, and for a repeated key.
        """
        own: dict[str, ValueNode] = {}
        merged: dict[str, ValueNode] = {}
        lines: dict[str, int | None] = {}
        for key_node, value_node in node.value:
            position = _position(key_node, self._file)
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error('a key must be text, found a list or a mapping', path, position)
            key = str(key_node.value)
            if key in lines:
                raise self._error(
                    f'appears twice, first in line {lines[key]}; keep one of them',
                    (*path, key),
                    position,
                )
            lines[key] = position.line
            if key_node.tag == _MERGE:
                merged = self._merged(value_node, path, position)
            else:
                own[key] = self._build(value_node, (*path, key), position)
        return {**merged, **own}

    def _merged(self, node: yaml.Node, path: Path, position: Position) -> dict[str, ValueNode]:
        """Return what `<<: *base` or `<<: [*a, *b]` adds; if several have a key, the first wins.

        Source: yaml.org/type/merge.html. Raises ConfigurationError for anything but mappings.
        """
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        result: dict[str, ValueNode] = {}
        for source in sources:
            if not isinstance(source, yaml.MappingNode):
                raise self._error('`<<` takes a mapping or a list of mappings', path, position)
            built = self._build(source, path, position)
            result = {**built.value, **result}
        return result

    def _scalar(self, node: yaml.Node, path: Path, position: Position) -> ValueNode:
        """Return a scalar as Python value. Raises ConfigurationError if it does not fit its tag."""
        if node.tag in _TEXT_TAGS:
            return ValueNode(node.value, position, node.value)
        self._check_tag(node, path, position, _SCALAR_TAGS)
        try:
            value = self._loader.construct_object(node)
        except _UNREADABLE as error:
            kind = node.tag.removeprefix(_TAG)
            found = 'this' if is_secret_path(path) else quoted(mask_text(node.value))
            raise self._error(
                f'{found} is not a valid YAML "{kind}"; if it is text, put it in quotes',
                path,
                position,
            ) from error
        if isinstance(value, int) and value.bit_length() > _MAX_BITS:
            raise self._error('a number of this length is not allowed', path, position)
        return ValueNode(value, position, node.value)

    def _check_tag(
        self, node: yaml.Node, path: Path, position: Position, allowed: set[str]
    ) -> None:
        """Raise ConfigurationError for a tag that is not allowed: `!!python/name`, `!secret`."""
        if node.tag not in allowed:
            tag = printable(node.tag.replace(_TAG, '!!'), QUOTED)
            found = 'a tag' if is_secret_path(path) else f'the tag {tag}'
            raise self._error(
                f'{found} is not allowed; only plain values are: '
                f'text, numbers, true, false, null, dates, lists, mappings',
                path,
                position,
            )

    def _guard_aliases(self, node: yaml.Node, path: Path, position: Position) -> None:
        """Raise ConfigurationError for an alias inside its own value, and for too many aliases."""
        if node in self._open:
            raise self._error('an alias leads to a value that contains it', path, position)
        if node in self._built:
            self._aliased += 1
        self._built.add(node)
        if self._aliased > _MAX_ALIASED:
            raise self._error(
                f'aliases add more than {_MAX_ALIASED} values; write them out', path, position
            )

    def _error(self, text: str, path: Path, position: Position) -> ConfigurationError:
        return ConfigurationError(text, Location(format_path(path), position))
