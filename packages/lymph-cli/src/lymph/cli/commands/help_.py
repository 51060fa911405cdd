"""`lymph help`"""

from __future__ import annotations

import click

from lymph.cli.program import program

__all__ = ['command']


@click.command('help', epilog='Example: lymph help request')
@click.argument('name', metavar='[COMMAND]', required=False)
@click.pass_context
def command(context: click.Context, name: str | None) -> None:
    """Explain a command, or lymph as a whole."""
    root = context.find_root()
    if name is None:
        click.echo(program.get_help(root))
        return
    _, found, _ = program.resolve_command(root, [name])
    if found is not None:
        # Like `lymph NAME --help`, so that a command may have a help of its own kind.
        found.make_context(name, ['--help'], parent=root)
