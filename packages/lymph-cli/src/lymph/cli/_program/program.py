"""The `lymph` command: a group whose subcommands are the plugins of `lymph.cli`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import click

from lymph.cli._commands.summaries import SUMMARIES
from lymph.cli._program.collecting import collect_again
from lymph.cli._program.groups import SUMMARY, Group
from lymph.cli._program.signals import raise_interrupts
from lymph.cli.lazy import lazy
from lymph.cli.outcomes import INTERRUPTED, Interrupted
from lymph.cli.output import one_line, stdout_explained
from lymph.cli.settings import add_global_options, global_options
from lymph.config.exceptions import PluginError
from lymph.config.plugins import InstalledPlugin, installed
from lymph.config.printable import quoted
from lymph.config.suggestions import close_name

__all__ = ['GROUP', 'BrokenCommand', 'program']

_commands = lazy('lymph.cli._completing.offers:commands')
_error_line: Callable[[BaseException], str] = lazy('lymph.core.failures:error_line')

#: The entry-point group of subcommands; each is a click.Command.
GROUP = 'lymph.cli'

#: What commands are called elsewhere.
_SYNONYMS = {
    'call': 'request', 'create': 'new', 'init': 'new', 'logs': 'tail', 'ls': 'list',
    'ps': 'node ps', 'publish': 'emit', 'run': 'instance', 'serve': 'instance', 'start': 'instance',
}  # fmt: skip


class BrokenCommand(click.Command):
    """A subcommand that cannot be loaded: it is listed with the reason and fails with it."""

    def __init__(self, name: str, error: PluginError) -> None:
        super().__init__(
            name,
            help=f'(broken) {one_line(str(error))}',
            short_help=f'(broken) {one_line(error.text)}',
        )
        self.error = error

    def parse_args(self, ctx: click.Context, args: list[str]) -> NoReturn:
        """Raise the error, whatever the arguments are."""
        raise self.error


class _Program(Group):
    def described(self) -> dict[str, click.Command]:
        """Return all commands that are shown, by name, for what they say of themselves.

        Those of lymph are not loaded for that: they cannot be run.
        """
        found = {name: _described(plugin) for name, plugin in installed(GROUP).items()}
        return {name: command for name, command in found.items() if not command.hidden}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(installed(GROUP))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        plugin = installed(GROUP).get(cmd_name)
        return None if plugin is None else _prepared(plugin, add_global_options)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Offer commands, without loading ours, and options."""
        offered: list[Any] = _commands(ctx, None, incomplete)
        return [*offered, *click.Command.shell_complete(self, ctx, incomplete)]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in installed(GROUP) and not ctx.resilient_parsing:
            close = _SYNONYMS.get(name) or close_name(name, installed(GROUP))
            advice = f'did you mean {close!r}?' if close else '`lymph list` shows all'
            ctx.fail(f'no command {quoted(name)}; {advice}')
        return super().resolve_command(ctx, args)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with stdout_explained():  # --help and --version
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        # What commands return is not an exit code: they say that by raising Exit.
        try:
            with stdout_explained():  # for commands that print by themselves
                super().invoke(ctx)
        except Interrupted as error:
            raise click.exceptions.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            raise click.exceptions.Exit(INTERRUPTED) from None


def _prepared(
    plugin: InstalledPlugin, prepare: Callable[[click.Command], click.Command]
) -> click.Command:
    """Return what `prepare` makes of a command, or a `BrokenCommand` if that fails."""
    try:
        command = plugin.load_object(click.Command)
    except PluginError as error:
        return BrokenCommand(plugin.name, error)
    try:
        return prepare(command)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - others' classes and attributes
        return BrokenCommand(
            plugin.name, PluginError(f'{plugin} cannot be used: {_error_line(error)}')
        )


def _described(plugin: InstalledPlugin) -> click.Command:
    summary = SUMMARIES.get(plugin.name)
    if summary is None or plugin.rivals or not _is_own(plugin):
        return _prepared(plugin, _summary)
    return click.Command(plugin.name, help=summary)


def _summary(command: click.Command) -> click.Command:
    """Return a command for lists, with only the summary of another distribution's command."""
    text = one_line(command.get_short_help_str(SUMMARY))
    return click.Command(command.name, short_help=text, hidden=bool(command.hidden))


def _is_own(plugin: InstalledPlugin | None) -> bool:
    return plugin is not None and plugin.reference.startswith('lymph.cli.')


@click.pass_context
def _begin(context: click.Context, /, **given: Any) -> None:
    """Show the help if there is no subcommand, or else pass the options to the subcommand."""
    name = context.invoked_subcommand
    if name is None:
        click.echo(context.get_help())
        return
    # Commands of others expect KeyboardInterrupt and the garbage collector. Ours end at once on a
    # signal until they handle it, and `lazy` turns the collector on for them.
    if not _is_own(installed(GROUP).get(name)):
        raise_interrupts()
        collect_again()
    # None and () stand for options that were not given.
    given = {option: value for option, value in given.items() if value not in (None, ())}
    command = program.get_command(context, name) if given else None
    if command is None:
        return
    known = {param.name for param in command.params}
    for option in given:
        if option not in known:
            shown = option.replace('_', '-')
            context.fail(f'--{shown} is for commands that listen, such as instance; not for {name}')
    # As defaults, so that the same option after the name of the command overrides them.
    context.default_map = {name: given}


def _before_the_command() -> list[click.Option]:
    """Return the options of subcommands that may stand before their name (manual, 4.2)."""
    return [
        click.Option(['--ip'], hidden=True),
        click.Option(['--port'], type=int, hidden=True),
        click.Option(['--interface'], multiple=True, hidden=True),
        click.Option(['--pidfile'], hidden=True),
        *(
            click.Option([f'--{name}'], is_flag=True, default=None, hidden=True)
            for name in ('debug', 'guess-external-ip', 'isolated', 'reload')
        ),
    ]


program = _Program(
    'lymph',
    callback=_begin,
    invoke_without_command=True,
    params=[*global_options(), *_before_the_command()],
    help='Run services, look at them and talk to them.',
    epilog='`lymph help COMMAND` tells more about each.',
    context_settings={'help_option_names': ['-h', '--help'], 'max_content_width': 100},
)
