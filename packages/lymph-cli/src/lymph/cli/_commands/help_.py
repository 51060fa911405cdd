"""`lymph help`"""

from __future__ import annotations

import click

from lymph.cli._program.program import program
from lymph.cli.completion import commands

__all__ = ['command']


@click.command(
    'help',
    epilog='Example: lymph help request',
    help='Explain a command, or lymph as a whole.',
)
@click.argument('names', nargs=-1, metavar='[COMMAND]...', shell_complete=commands)
@click.pass_context
def command(context: click.Context, names: tuple[str, ...]) -> None:
    """Print the help of a command, or of lymph; raises UsageError for an unknown command."""
    root = context.find_root()
    if not names:
        click.echo(program.get_help(root))
        return
    _, found, _ = program.resolve_command(root, [names[0]])
    if found is not None:
        # Like `lymph NAME --help`, so that a command may have a help of its own kind.
        with found.make_context(names[0], [*names[1:], '--help'], parent=root) as inner:
            found.invoke(inner)
