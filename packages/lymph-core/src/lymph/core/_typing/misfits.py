"""The error for a value that does not fit its annotation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import gevent

from lymph.config.printable import printable, quoted
from lymph.core.failures import Killed
from lymph.exceptions import Cancelled, LymphError

__all__ = ['ENDS', 'Misfit', 'path_text']

#: What ends the work while code of a class runs, and says nothing about the value. A timeout
#: belongs to whoever has set it, an interceptor for instance.
ENDS: Final = (Killed, Cancelled, gevent.Timeout)

_KEY = 40  # characters of a key
_PATH = 200  # characters of a path, from its beginning
_TEXT = 400  # characters of a reason


class Misfit(LymphError, ValueError):
    """A value does not fit; the text is its path and what was expected and found.

    `steps` are the names, indices and keys that lead to it, `reason` is the text without the path.
    `raised` is the error if code of a class failed on the value, None if the value is to blame.
    """

    def __init__(
        self, steps: Iterable[Any], reason: str, raised: BaseException | None = None
    ) -> None:
        self.steps = tuple(steps)
        self.raised = raised
        self.reason = printable(reason, _TEXT)
        path = path_text(self.steps)
        super().__init__(f'{path}: {self.reason}' if path else self.reason)

    def below(self, *steps: Any) -> Misfit:
        """Return the error with these steps before its own."""
        return Misfit((*steps, *self.steps), self.reason, self.raised)

    def __reduce__(self) -> Any:
        return type(self), (self.steps, self.reason, self.raised)


class Key(str):
    """A key of a mapping in a path, as it is shown: ``['x']``."""

    __slots__ = ()


def path_text(steps: Iterable[Any]) -> str:
    """Return a path in one line: ``order.lines[2].price``, ``prices['x']``."""
    parts = []
    for step in steps:
        if isinstance(step, (Key, int)):
            parts.append(f'[{step}]')
        elif isinstance(step, str):
            parts.append(f'.{step}')
        else:
            parts.append('[...]')
    return printable(''.join(parts).removeprefix('.'), _PATH)


def key_step(key: object) -> Key:
    """Return the step to the value of a key."""
    return Key(quoted(key, _KEY))
