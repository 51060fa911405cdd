"""The `lymph` command.

`_program/` and `_commands/` declare what can be said on the command line and import nothing heavy;
`_running/` holds what the commands do and is imported only when one of them runs.
"""

from __future__ import annotations
