"""Running the code that a user types, in the process of a container, and capturing its output."""

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
_NAMES = 200  # completions returned for one text

Write = Callable[[str], object]

# where output of the current context goes; None: to the standard streams
_writer: ContextVar[Write | None] = ContextVar('lymph_backdoor_writer', default=None)


class EvaluationInterrupted(gevent.GreenletExit):
    """The user has pressed Ctrl-C. gevent would end the process for a KeyboardInterrupt."""


class Console:
    """A namespace in which code runs; its output goes to `write`."""

    def __init__(self, namespace: dict[str, Any], write: Write) -> None:
        self.namespace = {'__name__': '__console__', '__builtins__': __builtins__, **namespace}
        self._write = write

    def run(self, source: str, last: bool = False) -> str:
        """Run source and return its outcome (see `wire`). Raises nothing but `Killed`.

        If the last statement is an expression, its value is printed and stored as ``_``. Without
        `last` the source may be incomplete; then nothing runs and the outcome is ``more``.
        """
        _redirect()
        token = _writer.set(self._write)
        try:
            if not last and _is_incomplete(source):
                return MORE
            self._execute(ast.parse(source, _FILE))
        except Killed:
            raise
        except BaseException as error:  # noqa: BLE001 - of the user's code
            # show only frames of the user's code; none for an error in the source itself
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
        """Return the completions of a name or a dotted name."""
        completer = rlcompleter.Completer(self.namespace)
        found: list[str] = []
        try:
            while len(found) < _NAMES and (name := completer.complete(text, len(found))):
                found.append(name)
        except Killed:
            raise
        except BaseException:  # noqa: BLE001 - the completer reads properties
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
        return False  # several statements, or invalid: the parser reports it


class _Redirected(io.TextIOBase):
    """A standard stream that diverts the output of consoles to their `write`."""

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
    """Replace the standard streams so that the output of consoles is captured. Idempotent."""
    if sys.stdout is not None and not isinstance(sys.stdout, _Redirected):
        sys.stdout = _Redirected(sys.stdout)
    if sys.stderr is not None and not isinstance(sys.stderr, _Redirected):
        sys.stderr = _Redirected(sys.stderr)
