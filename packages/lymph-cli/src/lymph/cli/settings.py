"""The options that every subcommand takes, before its name or after it.

Before the name they belong to `lymph`, after it they are added to the subcommand, ours or a
stranger's; an option that the subcommand uses for itself stays its own. Where both are given, files
add up and anything else is taken from the later place.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from lymph.cli.completion import files
from lymph.cli.lazy import lazy
from lymph.config.distributions import version

if TYPE_CHECKING:
    from lymph.config import Configuration

__all__ = ['LEVELS', 'Settings', 'add_global_options', 'global_options', 'pass_settings']

_load: Callable[[Settings], Configuration] = lazy(
    'lymph.cli._program.configuring:load_configuration'
)

LEVELS = ('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL')


class Settings:
    """What the global options say; a command gets it through `pass_settings`.

    `loglevel` and `color` are None where nobody has said anything. `load()` reads the configuration
    that they name.
    """

    # No dataclass: making one takes longer than all else in this module, for every command.
    __slots__ = ('color', 'config', 'logfile', 'loglevel', 'vars')

    def __init__(
        self,
        config: tuple[str, ...] = (),
        vars: tuple[str, ...] = (),
        loglevel: str | None = None,
        logfile: str | None = None,
        color: bool | None = None,
    ) -> None:
        self.config = config
        self.vars = vars
        self.loglevel = loglevel
        self.logfile = logfile
        self.color = color

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Settings) and self._values() == other._values()

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        given = ', '.join(f'{name}={value!r}' for name, value in self._values().items())
        return f'Settings({given})'

    def _values(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__slots__}

    def load(self) -> Configuration:
        """Return the configuration, as `lymph request` and all commands that ask services read it.

        It is what --config, --vars and their variables in the environment name, over the shared
        sections of `.lymph.yml`; an empty one means the backends of this machine.

        Raises ConfigurationError for a file that cannot be used: one line and exit code 2.
        """
        return _load(self)

    def configuration_files(self, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """Return the files given with --config, or else in LYMPH_CONFIG."""
        return self.config or _paths('LYMPH_CONFIG', environ)

    def variable_files(self, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """Return the files given with --vars, or else in LYMPH_VARS."""
        return self.vars or _paths('LYMPH_VARS', environ)


pass_settings = click.make_pass_decorator(Settings, ensure=True)


def global_options() -> list[click.Option]:
    """Return the options, as `lymph` itself takes them."""
    return [
        _option(
            '--config', '-c', multiple=True, metavar='FILE', shell_complete=files,
            help='Read the configuration from FILE; later ones win. [env: LYMPH_CONFIG]',
        ),
        _option(
            '--vars', multiple=True, metavar='FILE', shell_complete=files,
            help='Take the variables $(var.NAME) from FILE; may be given again. [env: LYMPH_VARS]',
        ),
        _option(
            '--loglevel', type=click.Choice(LEVELS, case_sensitive=False),
            help='Log from this level on. Default: info for services, warning for the rest.',
        ),
        _option(
            '--logfile', metavar='FILE', shell_complete=files,
            help='Log to FILE instead of stderr.',
        ),
        _option(
            '--color/--no-color', default=None,
            help='Use colors. Default: on a terminal, unless NO_COLOR is set.',
        ),
        click.Option(
            ['--version'], is_flag=True, is_eager=True, expose_value=False, callback=_show_version,
            help='Print the version and exit.',
        ),
    ]  # fmt: skip


def add_global_options(command: click.Command) -> click.Command:
    """Return a copy of a subcommand that takes the options too, and so do its own subcommands."""
    own = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
    # A copy: the command belongs to its author, who may run it without `lymph`, too.
    added = copy.copy(command)
    options = [option for option in global_options() if _keep(option, own)]
    for option in options:
        option.hidden = True
    added.params = [*command.params, *options]
    if isinstance(added, click.Group):
        commands = added.commands.items()
        added.commands = {name: add_global_options(each) for name, each in commands}
    names = ', '.join(option.opts[0] for option in options)
    footer = f'The options of `lymph` can be given here too: {names}.'
    added.epilog = '\n\n'.join(part for part in (command.epilog, footer) if part)
    return added


def _option(*declarations: str, **attributes: Any) -> click.Option:
    # A name of its own, so that a subcommand's parameters cannot be taken for it.
    name = 'lymph_' + declarations[0].split('/')[0].strip('-')
    return click.Option([name, *declarations], expose_value=False, callback=_record, **attributes)


def _keep(option: click.Option, taken: set[str]) -> bool:
    """Take from an option what a subcommand uses for itself; returns whether a name is left."""
    option.opts = [name for name in option.opts if name not in taken]
    option.secondary_opts = [name for name in option.secondary_opts if name not in taken]
    return bool(option.opts)


def _record(context: click.Context, option: click.Parameter, value: Any) -> None:
    settings = context.ensure_object(Settings)
    field = (option.name or '').removeprefix('lymph_')
    if option.multiple:
        setattr(settings, field, (*getattr(settings, field), *value))
    elif value is not None:
        setattr(settings, field, value)


def _show_version(context: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        click.echo(f'lymph {version("lymph-cli")}')
        context.exit()


def _paths(name: str, environ: Mapping[str, str] | None) -> tuple[str, ...]:
    """Return the files that an environment variable lists, parted as in PATH."""
    value = (os.environ if environ is None else environ).get(name, '')
    return tuple(path for path in value.split(os.pathsep) if path)
