"""A whole configuration: files merged in order, with references substituted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from lymph.config._values.locations import Location, Position
from lymph.config._values.nodes import ValueNode, merge
from lymph.config._views.objects import SharedState
from lymph.config._views.views import ConfigView, to_node
from lymph.config.exceptions import ConfigurationError
from lymph.config.lazy import lazy
from lymph.config.printable import quoted

__all__ = ['Configuration']

# Imported on first use: an empty configuration costs neither PyYAML nor the substitution.
_substitution = lazy('lymph.config._loading.substitution:Substitution')
_parse: Callable[[bytes, str], ValueNode] = lazy('lymph.config._loading.documents:parse')


class Configuration(ConfigView):
    """The values of an application, from YAML files and from Python code (manual, 4.2 and 5.3).

    Arguments: `values` is an initial mapping, treated like the content of a file (a ConfigView,
    whose references are already substituted, is taken as it is); `variables` are the values that
    `$(var.NAME)` names, to which `load_vars_file` adds; `environ` are those that `$(env.NAME)`
    names, by default `os.environ`.

    References are substituted when a file is loaded: load the variables first.

    Raises ConfigurationError if a reference in `values` is malformed or names nothing, and for
    keys that are not text.
    """

    def __init__(
        self,
        values: Mapping[str, Any] | None = None,
        *,
        variables: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._root = self
        self._state = SharedState(lambda path: ConfigView(self, path))
        self._path = ()
        self._environ = os.environ if environ is None else environ
        self._variables = to_node(variables or {})
        if isinstance(values, ConfigView):
            self.update(values)
        elif values is not None:
            self._add(to_node(values))

    def load(self, file: IO[str] | IO[bytes], sections: Iterable[str] | None = None) -> None:
        """Merge the YAML in a file-like object over the current values.

        `sections`: if given, the only top-level keys to take. The `name` of `file`, if it has one,
        is named in errors.

        Raises ConfigurationError, with file and line, if the content cannot be read, is not a YAML
        mapping of plain values, or has a reference that cannot be substituted; TypeError if
        `sections` is a string.
        """
        name = getattr(file, 'name', None)
        named = name if isinstance(name, str) else '<config>'
        self._take(_parse(_read(file, named), named), sections)

    def load_file(
        self,
        path: str | os.PathLike[str],
        sections: Iterable[str] | None = None,
        check: Callable[[ConfigView], object] | None = None,
    ) -> None:
        """Merge the YAML file at a path over the current values.

        Arguments: `sections`, if given, are the only top-level keys to take; `check` is called
        with the whole content of the file before that, without any reference substituted, and may
        raise ConfigurationError.

        Raises ConfigurationError, with file and line, if the file cannot be read, is not a YAML
        mapping of plain values, or has a reference that cannot be substituted; TypeError if
        `sections` is a string.
        """
        document = _parse(_read_file(path), os.fspath(path))
        if check is not None:
            whole = Configuration()
            whole._state.tree = document
            check(whole)
        self._take(document, sections)

    def load_vars_file(self, path: str | os.PathLike[str]) -> None:
        """Merge the YAML file at a path into the variables that `$(var.NAME)` names.

        Files that are already loaded do not change.

        Raises ConfigurationError, with file and line, if the file cannot be read or is not a YAML
        mapping of plain values.
        """
        self._variables = _joined(self._variables, _parse(_read_file(path), os.fspath(path)))

    def _take(self, document: ValueNode, sections: Iterable[str] | None) -> None:
        """Substitute and merge a document. Raises what `load` raises."""
        if sections is not None:
            if isinstance(sections, str):
                raise TypeError(f'sections is a list of names; write [{quoted(sections)}]')
            wanted = set(sections)
            taken = {key: child for key, child in document.value.items() if key in wanted}
            document = document._replace(value=taken)
        self._add(document)

    def _add(self, document: ValueNode) -> None:
        filled: ValueNode = _substitution(self._variables, self._environ).apply(document)
        self._state.tree = _joined(self._state.tree, filled)


def _joined(base: ValueNode, over: ValueNode) -> ValueNode:
    """Merge two documents; an error about a missing key then names the files of both."""
    files = [node.position.file for node in (base, over) if node.position]
    position = Position(', '.join(dict.fromkeys(files))) if files else None
    return merge(base, over)._replace(position=position)


def _read(file: IO[str] | IO[bytes], name: str) -> bytes:
    """Return the content of a file. Raises ConfigurationError if it cannot be read or decoded."""
    try:
        content = file.read()
    except UnicodeDecodeError as error:
        raise _unreadable(name, 'expected UTF-8; save the file as UTF-8') from error
    except OSError as error:
        raise _unreadable(name, f'cannot be read: {error.strerror or error}') from error
    # UTF-8 cannot encode lone surrogates. Let them pass here: the parser finds them again when it
    # decodes, and names their line.
    return content.encode('utf-8', 'surrogatepass') if isinstance(content, str) else content


def _read_file(path: str | os.PathLike[str]) -> bytes:
    """Return the content of a file. Raises ConfigurationError, with advice, if that fails."""
    name = os.fspath(path)
    try:
        return Path(path).read_bytes()
    except FileNotFoundError as error:
        raise _unreadable(name, 'no such file; check the path') from error
    except IsADirectoryError as error:
        raise _unreadable(name, 'this is a folder; name a file in it') from error
    except PermissionError as error:
        raise _unreadable(name, 'no permission to read it; see its owner and mode') from error
    except OSError as error:
        raise _unreadable(name, f'cannot be read: {error.strerror or error}') from error


def _unreadable(name: str, text: str) -> ConfigurationError:
    return ConfigurationError(text, Location(position=Position(name)))
