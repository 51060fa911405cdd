"""The subcommands as users see them: names, arguments, options, help. No work is done here.

What does the work is imported only when a command runs (`lymph.cli.lazy`). Help texts are
arguments, not docstrings: `python -OO` strips those.
"""

from __future__ import annotations
