"""The functions behind `names`, which are imported when a shell asks."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from lymph.cli.completing.known import known
from lymph.cli.program import program
from lymph.cli.settings import Settings

__all__ = ['commands', 'files', 'parameters', 'services', 'subjects']


#: Characters of what a command does.
_SUMMARY = 100


def services(
    context: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Offer the services that are running."""
    found = known(context.ensure_object(Settings))
    return [CompletionItem(name) for name in found.services if name.startswith(incomplete)]


def subjects(
    context: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Offer the methods of services, as INTERFACE.METHOD, with what they do."""
    found = known(context.ensure_object(Settings), methods=True)
    return [
        CompletionItem(each.name, help=each.help or None)
        for each in found.methods
        if each.name.startswith(incomplete)
    ]


def parameters(
    context: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Offer the parameters of the method that is given as `subject`, as `name=`."""
    subject = (context.params.get('subject') or '').partition('@')[0]
    found = known(context.ensure_object(Settings), methods=True)
    given = {word.partition('=')[0].rstrip(':') for word in context.params.get('params') or ()}
    return [
        CompletionItem(f'{name}=')
        for each in found.methods
        for name in each.params
        if each.name == subject and name not in given and f'{name}='.startswith(incomplete)
    ]


def commands(
    context: click.Context, _param: click.Parameter | None, incomplete: str
) -> list[CompletionItem[str]]:
    """Offer the subcommands of lymph, with what they do."""
    return [
        CompletionItem(name, help=command.get_short_help_str(_SUMMARY))
        for name, command in program.described().items()
        if name.startswith(incomplete) and not context.params.get('names')
    ]


def files(
    _context: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Leave it to the shell to offer files."""
    return [CompletionItem(incomplete, type='file')]
