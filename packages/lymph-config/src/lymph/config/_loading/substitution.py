"""`$(env.NAME)` and `$(var.path)` in the text of configuration files.

A string that is exactly one reference becomes the value it names, with its type and structure.
Inside a longer string the value is inserted as text. References in the file of variables are
substituted too; text from the environment is not. `$$(` stands for a literal `$(`; before anything
else than an opening bracket, `$` means itself.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping

from lymph.config._values.locations import Location, Path, format_path, parse_key
from lymph.config._values.nodes import (
    ValueNode,
    describe,
    find,
    hide,
    is_secret_path,
    look,
)
from lymph.config.exceptions import ConfigurationError
from lymph.config.printable import QUOTED, printable, quoted
from lymph.config.secrets import is_secret, mask_text
from lymph.config.suggestions import close_names

_OPENING = re.compile(r'(\$+)\(')
_NAME = re.compile(r'([^()]*)\)')


class Substitution:
    """Substitutes references from one set of variables and one environment.

    Arguments: `variables` are what `$(var.NAME)` names, `environ` what `$(env.NAME)` names.

    `_open` are the names of the variables being substituted, outermost first: a name that comes
    up again leads in a circle.
    """

    def __init__(self, variables: ValueNode, environ: Mapping[str, str]) -> None:
        self._variables = variables
        self._environ = environ
        self._open: list[str] = []

    def apply(self, node: ValueNode, path: Path = ()) -> ValueNode:
        """Return the tree at `path` with all references substituted.

        Raises ConfigurationError for a reference that is malformed, that names nothing, that leads
        to itself, or that stands inside a string without naming text, a number, a boolean or a
        date.
        """
        if isinstance(node.value, dict):
            children = {key: self.apply(child, (*path, key)) for key, child in node.value.items()}
            return node._replace(value=children)
        if isinstance(node.value, list):
            items = [self.apply(child, (*path, index)) for index, child in enumerate(node.value)]
            return node._replace(value=items)
        if isinstance(node.value, str) and '$' in node.value:
            return self._fill_in(node, node.value, Location(format_path(path), node.position))
        return node

    def _fill_in(self, node: ValueNode, text: str, where: Location) -> ValueNode:
        """Return the node for text with at least one `$` in it.

        Raises ConfigurationError as `apply` does.
        """
        # Two versions of the text grow side by side: the value, and what people see of it, which
        # differs where a secret was inserted.
        parts: list[str] = []
        shown: list[str] = []
        start = 0
        while opening := _OPENING.search(text, start):
            # `$$` stands for one `$`. An odd one that is left over starts a reference.
            dollars = len(opening[1])
            before = text[start : opening.start()] + '$' * (dollars // 2)
            parts.append(before)
            shown.append(before)
            start = opening.end()
            if dollars % 2 == 0:
                parts.append('(')
                shown.append('(')
                continue
            name = _NAME.match(text, start)
            if not name:
                rest = '$(' if _is_hidden(where) else quoted(mask_text(text[start - 2 :]))
                raise ConfigurationError(
                    f'{rest} has no end; write $(env.NAME) or $(var.NAME), or $$( for a plain $(',
                    where,
                )
            start = name.end()
            found = self._look_up(name[1], where)
            if name.end() - opening.start() == len(text) and dollars == 1:
                return found._replace(position=node.position)
            parts.append(_as_text(found, name[1], where))
            shown.append(parts[-1] if found.shown is None else found.shown)
        filled = ''.join(parts) + text[start:]
        seen = ''.join(shown) + text[start:]
        return ValueNode(filled, node.position, filled, None if seen == filled else seen)

    def _look_up(self, name: str, where: Location) -> ValueNode:
        """Return the value of a reference `$(name)`, hidden if the name is secret.

        Raises ConfigurationError if it is malformed or names nothing.
        """
        kind, dot, rest = name.partition('.')
        if dot and rest and kind == 'env':
            found = self._environment(rest, where)
            return hide(found) if is_secret(rest) else found
        if dot and rest and kind == 'var':
            found = self._variable(rest, where)
            return hide(found) if is_secret_path(parse_key(rest)) else found
        if _is_hidden(where):
            # This may be a secret that contains `$(`, so the text after it is not shown.
            name = '...'
        raise ConfigurationError(
            f'$({name}) is neither $(env.NAME) nor $(var.NAME); for plain text write $$({name})',
            where,
        )

    def _environment(self, name: str, where: Location) -> ValueNode:
        """Return the value of `$(env.name)`. Raises ConfigurationError if it is not set."""
        if name not in self._environ:
            raise ConfigurationError(
                f'$(env.{printable(name, QUOTED)}): no environment variable {quoted(name)}'
                + (close_names(name, self._environ) or '; set it'),
                where,
            )
        value = self._environ[name]
        return ValueNode(value, None, value)

    def _variable(self, name: str, where: Location) -> ValueNode:
        """Return the value of `$(var.name)`, with its own references substituted.

        Raises ConfigurationError if it is not set or leads to itself.
        """
        if name in self._open:
            circle = ' -> '.join(f'$(var.{each})' for each in [*self._open, name])
            raise ConfigurationError(f'variables lead in a circle: {circle}; break it', where)
        path = parse_key(name)
        found = find(self._variables, path)
        if found is None:
            raise ConfigurationError(
                f'$(var.{printable(name, QUOTED)}): no variable {quoted(name)}{self._advice(path)}',
                where,
            )
        self._open.append(name)
        try:
            return self.apply(found, path)
        finally:
            self._open.pop()

    def _advice(self, path: Path) -> str:
        if not self._variables.value:
            return '; no variables are loaded: give a file of them with --vars'
        # The longest beginning of the path that exists: the next segment is the misspelt one.
        depth = max(depth for depth in range(len(path)) if look(self._variables, path[:depth]))
        around = look(self._variables, path[:depth])
        names = around.value if around and isinstance(around.value, dict) else {}
        siblings = [format_path((*path[:depth], name)) for name in names]
        advice = close_names(format_path(path[: depth + 1]), siblings)
        return advice or f'; add it to {self._variables.position or "the variables"}'


def _is_hidden(where: Location) -> bool:
    return is_secret_path(tuple(where.key.split('.')))


def _as_text(node: ValueNode, name: str, where: Location) -> str:
    """Return a value as it is written inside a longer string: as its file spells it.

    Raises ConfigurationError for null, lists, mappings and other values without one spelling.
    """
    value = node.value
    if value is not None and not isinstance(value, (dict, list)):
        if node.text is not None:  # None: the value is not from a file
            return node.text
        if isinstance(value, bool):
            return 'true' if value else 'false'
        if isinstance(value, (str, int, float, datetime.date)):
            return str(value)
    raise ConfigurationError(
        f'$({name}) is {describe(value, parse_key(name))} and cannot stand inside a string; '
        f'let it be the whole value, or name text or a number',
        where,
    )
