"""`lymph completion`"""

from __future__ import annotations

import click

from lymph.cli.lazy import lazy

__all__ = ['command']

_run = lazy('lymph.cli._running.completion:run')


@click.command(
    'completion',
    epilog='Example: lymph completion bash > ~/.local/share/bash-completion/completions/lymph',
    help="""
    Print the script that completes lymph in a shell: commands, options, services and methods.

    SHELL is bash, zsh or fish.

    For this shell alone: `eval "$(lymph completion bash)"`, and the same for zsh; in fish
    `lymph completion fish | source`. For good, write it to the file that the shell reads:

    \b
    bash  ~/.local/share/bash-completion/completions/lymph
    zsh   _lymph in a folder of $fpath
    fish  ~/.config/fish/completions/lymph.fish
    """,
)
@click.argument('shell', metavar='SHELL', type=click.Choice(('bash', 'zsh', 'fish')))
@click.option('--answer', is_flag=True, hidden=True)  # what the script calls
def command(shell: str, answer: bool) -> None:
    """Run `lymph completion`."""
    _run(shell, answer)
