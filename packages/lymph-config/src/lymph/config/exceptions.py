"""The base class of all errors that lymph raises on purpose, and the errors of configurations.

    LymphError                        everything below, in every distribution
      ConfigurationError              a setting is wrong
        MissingKeyError (KeyError)    a required key is not set
        PluginError                   a class or plugin cannot be loaded, or is of the wrong kind

`lymph.exceptions`, in lymph-core, exports them again and adds the errors of calls and events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lymph.config.printable import printable
from lymph.config.secrets import mask_text

if TYPE_CHECKING:
    from lymph.config._values.locations import Location, Position

__all__ = ['ConfigurationError', 'LymphError', 'MissingKeyError', 'PluginError']

_TEXT = 2000  # characters of a text: what it quotes is cut much shorter, what it lists is not


class LymphError(Exception):
    """The base class of all errors that lymph raises on purpose."""


class ConfigurationError(LymphError):
    """A setting is wrong; one line that starts with its place.

    Arguments: `text` says what was expected, what was found and what to do; `where` is the place,
    a `Location` or a prefix in words.

    The text is made printable and cut to 2000 characters. Secrets that are recognized by their
    form, such as the password in a URL, are masked in it.

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
        """The dotted key of the setting, or None if it is unknown."""
        where = self.where
        return None if where is None or isinstance(where, str) else where.key or None

    @property
    def file(self) -> str | None:
        """The name of the file, or None if it is unknown or the setting is not from a file."""
        return self._position.file if self._position else None

    @property
    def line(self) -> int | None:
        """The line in the file, counted from 1, or None if it is unknown."""
        return self._position.line if self._position else None

    @property
    def _position(self) -> Position | None:
        where = self.where
        return None if where is None or isinstance(where, str) else where.position


class MissingKeyError(ConfigurationError, KeyError):
    """A required key is not set."""

    __str__ = ConfigurationError.__str__


class PluginError(ConfigurationError):
    """A class or plugin cannot be loaded, or breaks the contract of its group."""
