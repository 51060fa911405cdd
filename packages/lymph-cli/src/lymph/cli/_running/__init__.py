"""What the subcommands do; each module is imported when its command runs."""

from __future__ import annotations
