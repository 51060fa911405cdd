"""What the section of a dashboard sets beside the keys of every HTTP interface."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from lymph.config import ConfigView

__all__ = ['DashboardSettings']

_TOKEN: Final = re.compile(r'[A-Za-z0-9_.~-]{16,200}')


@dataclass(frozen=True)
class DashboardSettings:
    """Who may use a dashboard, and for what.

    =============  ==========  =====================================================================
    key            default     meaning
    =============  ==========  =====================================================================
    token          (required)  what clients have to know: 16 to 200 letters, digits and ``-_.~``
    read_only      false       whether nothing can be called, replayed or dropped
    =============  ==========  =====================================================================
    """

    KEYS: ClassVar[tuple[str, ...]] = ('token', 'read_only')

    token: str
    read_only: bool = False

    @classmethod
    def from_config(cls, view: ConfigView) -> DashboardSettings:
        """Read the section. Raises ConfigurationError for invalid values."""
        token = view.get_line('token')
        if not _TOKEN.fullmatch(token):
            text = 'expected 16 to 200 letters, digits, dashes, dots, tildes and underscores'
            raise view.error('token', f'{text}, found something else')  # not what: it is a secret
        return cls(token, view.get_bool('read_only', False))
