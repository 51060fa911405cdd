"""What the commands of other distributions are, published in the group `lymph.contracts`."""

from __future__ import annotations

from typing import Final

from lymph.config.plugins import Contract

__all__ = ['COMMANDS']

#: Group `lymph.cli`: the commands of `lymph`.
COMMANDS: Final = Contract('click:Command', instance=True)
