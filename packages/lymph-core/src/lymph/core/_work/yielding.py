"""Generators with one ``yield`` as context managers."""

from __future__ import annotations

from collections.abc import Generator
from types import TracebackType
from typing import Any

from lymph.exceptions import ResourceError

__all__ = ['Yielding']


class Yielding:
    """The context manager of a generator that yields once; `name` is for errors.

    The rest of the generator runs at the exit; an error is raised at its ``yield``. Unlike those of
    `contextlib.contextmanager`, errors about the number of yields name the resource.
    """

    def __init__(self, generator: Generator[Any, Any, Any], name: str) -> None:
        self._generator = generator
        self._name = name

    def __enter__(self) -> Any:
        try:
            return next(self._generator)
        except StopIteration:
            text = f'{self._name}: expected the generator to yield once, found no yield'
            raise ResourceError(text) from None

    def __exit__(
        self, kind: object, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                next(self._generator)
            else:
                self._generator.throw(error)
        except StopIteration:
            return
        except BaseException as raised:
            # a StopIteration that was thrown in comes out as the cause of another error (PEP 479)
            passed_on = isinstance(error, StopIteration) and raised.__cause__ is error
            if error is None or (raised is not error and not passed_on):
                raise
            error.__traceback__ = traceback  # without the frames of the generator
            return
        self._generator.close()
        raise ResourceError(f'{self._name}: expected the generator to yield once, found a second')
