"""Objects that start and close with a `with` block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ['ClosedInBlock', 'StartedInBlock']


class ClosedInBlock(ABC):
    """A context manager that calls `close` at the end."""

    @abstractmethod
    def close(self) -> None:
        """Stop it and remove what it made."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class StartedInBlock(ClosedInBlock):
    """A context manager that calls `start` at the beginning, and `close` in any case."""

    @abstractmethod
    def start(self) -> None:
        """Start it; if that fails, `close` is called as well."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self
