"""The command line that all benchmarks share: options, progress on stderr, results to a page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.document import replace_section

__all__ = ['Command']


class Command:
    """One run of ``python -m bench.<name>`` with its `arguments` (None: those of the process).

    Exits with a message on stderr for invalid arguments.
    """

    def __init__(self, name: str, description: str | None, arguments: list[str] | None) -> None:
        parser = argparse.ArgumentParser(prog=f'python -m bench.{name}', description=description)
        parser.add_argument('--quick', action='store_true', help='under a minute; writes no page')
        parser.add_argument('--page', type=Path, default=Path('docs/performance.md'))
        options = parser.parse_args(arguments)
        self.quick: bool = options.quick  #: whether few rounds are enough
        self._page: Path = options.page
        self._section = f'bench-{name}'

    def progress(self, line: str) -> None:
        """Write a line about what is being measured to stderr."""
        sys.stderr.write(f'{self._section}: {line}\n')

    def publish(self, text: str) -> None:
        """Print the results and, unless the run is quick, replace their section of the page."""
        sys.stdout.write(f'{text}\n')
        if not self.quick:
            replace_section(self._page, self._section, text)
