"""``wsgi.file_wrapper``: a file as the body of an answer (PEP 3333)."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

__all__ = ['FileBody', 'Region']

_BLOCK = 64 * 1024  # bytes read at once; the size that an application suggests is only that


class Region(NamedTuple):
    """What is left of a regular file: its descriptor, where the rest begins, bytes."""

    descriptor: int
    start: int
    size: int


class FileBody:
    """The rest of `file`, from its current position; the file only has to have `read`.

    It is seekable if the file is, so that a range of it need not be read from the beginning.
    `warm(descriptor, start, size)` is called before a block of a regular file is read.
    """

    def __init__(
        self,
        file: Any,
        block_size: int = _BLOCK,
        *,
        warm: Callable[[int, int, int], None] | None = None,
    ) -> None:
        self.file = file
        self._warm = warm

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._warm is not None:
            region = self.region()
            if region is None:
                self._warm = None
            elif region.size:
                self._warm(region.descriptor, region.start, min(region.size, _BLOCK))
        data: bytes = self.file.read(_BLOCK)
        if not data:
            raise StopIteration
        return data

    def close(self) -> None:
        """Close the file, if it can be closed."""
        if hasattr(self.file, 'close'):
            self.file.close()

    def seekable(self) -> bool:
        """Tell whether the file is seekable."""
        if hasattr(self.file, 'seekable'):
            return bool(self.file.seekable())
        return hasattr(self.file, 'seek')

    def seek(self, *args: int) -> None:
        """Change where the rest begins."""
        self.file.seek(*args)

    def tell(self) -> int | None:
        """Return where the rest begins, None if that is not known."""
        return int(self.file.tell()) if hasattr(self.file, 'tell') else None

    def region(self) -> Region | None:
        """Return what is left of a regular file that the kernel can send; None for others."""
        try:
            descriptor = self.file.fileno()
            if 'b' not in self.file.mode:
                return None  # what it reads is not what is in the file
            start = self.file.tell()
            found = os.fstat(descriptor)
        except (AttributeError, OSError, TypeError, ValueError):
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        return Region(descriptor, start, max(0, found.st_size - start))
