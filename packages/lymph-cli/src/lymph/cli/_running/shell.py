"""A Python prompt with a client, or the way to one in an instance."""

from __future__ import annotations

import sys
import traceback
from typing import Any

from click import UsageError
from click.exceptions import Exit

from lymph.cli._logging.logs import set_up_logging
from lymph.cli._program.configuring import load_configuration
from lymph.cli._running.code import code_explained, interceptors_explained
from lymph.cli._running.importing import import_from_here
from lymph.cli._running.prompt_choice import choose_prompt
from lymph.cli._running.prompting import interrupts_raised
from lymph.cli._running.remote_shell import enter, find_backdoor
from lymph.cli._running.sources import read_source
from lymph.cli._running.stacks import show_greenlets
from lymph.cli._running.suggesting import services_suggested
from lymph.cli.outcomes import FAILED
from lymph.cli.settings import Settings
from lymph.client import Client
from lymph.core._backdoor.namespace import complete_namespace
from lymph.core.failures import Killed

__all__ = ['run']

_BANNER = 'Python {version}; client, config and lymph are there. Ctrl-D ends.'


def run(settings: Settings, remote: str | None, token: str | None, shell: str | None) -> None:
    """Start the prompt, or run what stands on stdin; raises Exit if that fails."""
    if remote is not None and shell not in (None, 'plain'):
        raise UsageError(
            f'--shell={shell}: lines typed with --remote run in the instance, whose prompt is plain'
        )
    # With --shell, even if a script on stdin needs no prompt: a missing one is a mistake.
    interact = choose_prompt(shell) if remote is None and (shell or sys.stdin.isatty()) else None
    show_greenlets()
    config = load_configuration(settings)
    set_up_logging(settings, config, 'WARNING')
    import_from_here()
    with code_explained():
        client = Client.from_config(config, plugins=remote is None)
    if remote is not None:
        with client, services_suggested(client):
            found = find_backdoor(client, remote, token)
        # After the client is closed: the prompt needs only the address and the token.
        enter(found)
        return
    with client, interceptors_explained():
        names = complete_namespace({'client': client, 'config': config})
        if interact is not None and sys.stdin.isatty():
            with interrupts_raised():
                interact(names, _BANNER.format(version=sys.version.split()[0]))
        else:
            _execute(read_source(), names)


def _execute(source: str, names: dict[str, Any]) -> None:
    """Run a script; raises Exit when it fails, and what it exits with."""
    try:
        exec(compile(source, '<stdin>', 'exec'), {'__name__': '__main__', **names})
    except (SystemExit, KeyboardInterrupt, Killed):
        raise
    except BaseException as error:  # noqa: BLE001 - of a script that somebody gave
        frames = sys.exc_info()[2]  # those of the error itself may be anything
        # from the script on, not from what runs it
        traceback.print_exception(type(error), error, frames and frames.tb_next)
        raise Exit(FAILED) from None
