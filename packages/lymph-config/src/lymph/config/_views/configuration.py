"""A whole configuration: files read one over the other, with variables filled in."""

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

# what only those need who have a file
_substitution = lazy('lymph.config._loading.substitution:Substitution')
_parse: Callable[[bytes, str], ValueNode] = lazy('lymph.config._loading.documents:parse')


class Configuration(ConfigView):
    """The values of an application, from YAML files and from Python code (manual, 4.2 and 5.3).

    Arguments: `values` is an initial mapping, treated like the content of a file (a ConfigView,
    whose references are filled in already, is taken as it is); `variables` are what `$(var.NAME)`
    names, until `load_vars_file` adds to them; `environ` is what `$(env.NAME)` names, default
    `os.environ`.

    References are filled in when a file is loaded, so variables come first.

    Raises ConfigurationError if `values` names a variable that is not there.
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
        """Merge the YAML in a file-like object over what is there.

        `sections`: if given, only these top-level keys are taken.

        Raises ConfigurationError, naming file and line, for what cannot be used.
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
        """Merge the YAML file at a path over what is there.

        `sections`: if given, only these top-level keys are taken. `check` is called with all that
        the file holds, references not filled in, and may raise ConfigurationError.

        Raises ConfigurationError, naming file and line, for what cannot be read or used.
        """
        document = _parse(_read_file(path), os.fspath(path))
        if check is not None:
            whole = Configuration()
            whole._state.tree = document
            check(whole)
        self._take(document, sections)

    def load_vars_file(self, path: str | os.PathLike[str]) -> None:
        """Merge the YAML file at a path into the variables that `$(var.NAME)` names.

        Raises ConfigurationError, naming file and line, for what cannot be read or used.
        """
        self._variables = _joined(self._variables, _parse(_read_file(path), os.fspath(path)))

    def _take(self, document: ValueNode, sections: Iterable[str] | None) -> None:
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
    """Merge documents; what stands in none of their lines is said to be missing from all files."""
    files = [node.position.file for node in (base, over) if node.position]
    position = Position(', '.join(dict.fromkeys(files))) if files else None
    return merge(base, over)._replace(position=position)


def _read(file: IO[str] | IO[bytes], name: str) -> bytes:
    try:
        content = file.read()
    except UnicodeDecodeError as error:
        raise _unreadable(name, 'expected UTF-8; save the file as UTF-8') from error
    except OSError as error:
        raise _unreadable(name, f'cannot be read: {error.strerror or error}') from error
    # Surrogates are no UTF-8 either; they are found again, with their line, when it is decoded.
    return content.encode('utf-8', 'surrogatepass') if isinstance(content, str) else content


def _read_file(path: str | os.PathLike[str]) -> bytes:
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
