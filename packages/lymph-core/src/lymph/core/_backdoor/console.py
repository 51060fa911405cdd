"""Runs what somebody types in the process of a container, and gives back what that prints."""

from __future__ import annotations

import ast
import codeop
import io
import rlcompleter
import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TextIO

import gevent

from lymph.core._backdoor.wire import FAILED, MORE, OK
from lymph.core.failures import Killed, traceback_text

__all__ = ['Console', 'EvaluationInterrupted']

_FILE = '<shell>'
_NAMES = 200  # completions of one text

Write = Callable[[str], object]

# where the prints of the current context go; None: where they always go
_writer: ContextVar[Write | None] = ContextVar('lymph_backdoor_writer', default=None)


class EvaluationInterrupted(gevent.GreenletExit):
    """The user has pressed Ctrl-C. With a KeyboardInterrupt gevent would end the process."""


class Console:
    """A namespace in which code runs; what it prints goes to `write`."""

    def __init__(self, namespace: dict[str, Any], write: Write) -> None:
        self.namespace = {'__name__': '__console__', '__builtins__': __builtins__, **namespace}
        self._write = write

    def run(self, source: str, last: bool = False) -> str:
        """Run source and return its outcome; see `wire`. Raises nothing but `Killed`.

        The value of a last line that is an expression is printed, and is called ``_`` then.
        """
        _redirect()
        token = _writer.set(self._write)
        try:
            if not last and _is_incomplete(source):
                return MORE
            self._execute(ast.parse(source, _FILE))
        except Killed:
            raise
        except BaseException as error:  # noqa: BLE001 - of code that somebody typed
            frames = error.__traceback__
            own = isinstance(error, SyntaxError) and frames is not None
            while frames is not None and (own or frames.tb_frame.f_code.co_filename != _FILE):
                frames = frames.tb_next
            self._write(traceback_text(error.with_traceback(frames)).rstrip('\n') + '\n')
            return FAILED
        finally:
            _writer.reset(token)
        return OK

    def names(self, text: str) -> list[str]:
        """Return what a name, or a dotted one, may go on as."""
        completer = rlcompleter.Completer(self.namespace)
        found: list[str] = []
        try:
            while len(found) < _NAMES and (name := completer.complete(text, len(found))):
                found.append(name)
        except Killed:
            raise
        except BaseException:  # noqa: BLE001 - of properties that it reads
            return []
        return found

    def _execute(self, tree: ast.Module) -> None:
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, _FILE, 'exec'), self.namespace)
        if isinstance(last, ast.Expr):
            code = compile(ast.Expression(last.value), _FILE, 'eval')
            value = eval(code, self.namespace)
            if value is not None:
                self.namespace['_'] = value
                self._write(f'{value!r}\n')


def _is_incomplete(source: str) -> bool:
    try:
        return codeop.compile_command(source, _FILE, 'single') is None
    except (SyntaxError, ValueError, OverflowError):
        return False  # several lines at once, or wrong: the parser tells


class _Redirected(io.TextIOBase):
    """A standard stream from which the prints of consoles are taken."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        write = _writer.get()
        if write is None:
            return self._stream.write(text)
        write(text)
        return len(text)

    def flush(self) -> None:
        if _writer.get() is None:
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _redirect() -> None:
    """Take the prints of consoles from the standard streams, from the first console on."""
    if sys.stdout is not None and not isinstance(sys.stdout, _Redirected):
        sys.stdout = _Redirected(sys.stdout)
    if sys.stderr is not None and not isinstance(sys.stderr, _Redirected):
        sys.stderr = _Redirected(sys.stderr)
