"""The base of every error that lymph raises on purpose, and the errors of the configuration.

    LymphError                        everything below, in every distribution
      ConfigurationError              what somebody wrote cannot be used as it stands
        MissingKeyError (KeyError)    a key that has to be there is not
        PluginError                   a class or plugin cannot be had, or is of the wrong kind

`lymph.exceptions`, in lymph-core, exports them again and adds the errors of calls and events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lymph.config.printable import printable
from lymph.config.secrets import mask_text

if TYPE_CHECKING:
    from lymph.config._values.locations import Location, Position

__all__ = ['ConfigurationError', 'LymphError', 'MissingKeyError', 'PluginError']

_TEXT = 2000  # characters; what a text quotes is shorter, what it lists may not be


class LymphError(Exception):
    """The base of everything that lymph raises on purpose."""


class ConfigurationError(LymphError):
    """Something in the configuration cannot be used; one line that starts with the place.

    Arguments: `text` says what was expected, what was found and what to do; `where` is the place,
    a `Location` or a prefix already written out.

    Secrets that can be told by their form, such as the password in a URL, are masked in the text.

    `ConfigurationError('expected text', Location('a.b', Position('conf.yml', 3)))` reads
    `conf.yml:3: a.b: expected text`.
    """

    def __init__(self, text: str, where: Location | str | None = None) -> None:
        text = printable(mask_text(text), _TEXT)
        super().__init__(text, where)
        self.text = text
        self.where = where

    def __str__(self) -> str:
        prefix = str(self.where) if self.where is not None else ''
        return f'{prefix}: {self.text}' if prefix else self.text

    @property
    def key(self) -> str | None:
        """The dotted key, where it is known."""
        where = self.where
        return None if where is None or isinstance(where, str) else where.key or None

    @property
    def file(self) -> str | None:
        """The file, where it is known."""
        return self._position.file if self._position else None

    @property
    def line(self) -> int | None:
        """The line in the file, counted from 1, where it is known."""
        return self._position.line if self._position else None

    @property
    def _position(self) -> Position | None:
        where = self.where
        return None if where is None or isinstance(where, str) else where.position


class MissingKeyError(ConfigurationError, KeyError):
    """A key that has to be there is not."""

    __str__ = ConfigurationError.__str__


class PluginError(ConfigurationError):
    """A class or plugin that the configuration names cannot be had, or breaks its contract."""
