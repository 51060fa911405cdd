"""The subcommands as users see them: names, arguments, options, help. No work is done here."""

from __future__ import annotations
