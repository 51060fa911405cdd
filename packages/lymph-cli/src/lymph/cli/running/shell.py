"""A Python prompt with a client, or the way to one in an instance."""

from __future__ import annotations

import code
import signal
import sys
import traceback
from typing import Any

from click.exceptions import Exit

from lymph.cli.configuring import load_configuration
from lymph.cli.logs import set_up_logging
from lymph.cli.outcomes import FAILED
from lymph.cli.running.code import code_explained
from lymph.cli.running.importing import import_from_here
from lymph.cli.running.prompting import history, read_line
from lymph.cli.running.remote_shell import enter, find_backdoor
from lymph.cli.running.stacks import show_greenlets
from lymph.cli.settings import Settings
from lymph.client import Client
from lymph.core.backdoor.namespace import complete_namespace

__all__ = ['run']

_BANNER = 'Python {version}; client, config and lymph are there. Ctrl-D ends.'


def run(settings: Settings, remote: str | None, token: str | None) -> None:
    """Start the prompt, or run what stands on stdin; raises Exit if that fails."""
    show_greenlets()
    config = load_configuration(settings)
    set_up_logging(settings, config, 'WARNING')
    import_from_here()
    with code_explained():
        client = Client.from_config(config)
    if remote is not None:
        with client:
            found = find_backdoor(client, remote, token)
        enter(found)
        return
    with client:
        names = complete_namespace({'client': client, 'config': config})
        if sys.stdin.isatty():
            _interact(names)
        else:
            _execute(sys.stdin.read(), names)


class _Console(code.InteractiveConsole):
    def raw_input(self, prompt: str = '') -> str:
        return read_line(prompt)


def _interact(names: dict[str, Any]) -> None:
    console = _Console({'__name__': '__console__', '__doc__': None, **names})
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with history(console.locals):
        console.interact(_BANNER.format(version=sys.version.split()[0]), exitmsg='')


def _execute(source: str, names: dict[str, Any]) -> None:
    """Run a script; raises Exit when it fails, and what it exits with."""
    try:
        exec(compile(source, '<stdin>', 'exec'), {'__name__': '__main__', **names})
    except Exception as error:  # noqa: BLE001 - of a script that somebody gave
        # from the script on, not from what runs it
        frames = error.__traceback__.tb_next if error.__traceback__ is not None else None
        traceback.print_exception(type(error), error, frames)
        raise Exit(FAILED) from None
