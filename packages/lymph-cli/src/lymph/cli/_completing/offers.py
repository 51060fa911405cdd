"""The functions behind `names`, which are imported when a shell asks."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from lymph.cli._completing.known import known
from lymph.cli._program.configuring import load_configuration, load_node_configuration
from lymph.cli._program.program import program
from lymph.cli.settings import Settings

__all__ = [
    'commands',
    'entries',
    'files',
    'interfaces',
    'parameters',
    'services',
    'subjects',
    'traces',
]

#: Characters of what a command does.
_SUMMARY = 100


def services(
    context: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Offer the services that are running."""
    return _names(known(context.ensure_object(Settings)).services, context, param, incomplete)


def entries(
    context: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Offer the names in the section `instances` of the node's configuration."""
    config = load_node_configuration(context.ensure_object(Settings))
    return _names(config.view('instances'), context, param, incomplete)


def interfaces(
    context: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Offer the names in the section `interfaces` of the configuration."""
    config = load_configuration(context.ensure_object(Settings))
    return _names(config.view('interfaces'), context, param, incomplete)


def _names(
    names: Iterable[str], context: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Return the names that begin like this, without those that stand on the line already."""
    given = context.params.get(param.name or '')
    there = given if isinstance(given, tuple) else ()
    return [
        CompletionItem(name) for name in names if name.startswith(incomplete) and name not in there
    ]


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


def traces(
    context: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Offer the ids of the latest traces, with what their first units of work did."""
    found = known(context.ensure_object(Settings), traces=True)
    return [
        CompletionItem(each.name, help=each.help or None)
        for each in found.traces
        if each.name.startswith(incomplete)
    ]


def parameters(
    context: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Offer the parameters of the method that is given as `subject`, as `name=`."""
    subject = (context.params.get('subject') or '').partition('@')[0]
    found = known(context.ensure_object(Settings), methods=True)
    # Of `name=text` and `name:=json`.
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
