"""What is wrong with a command line, in one line that says what to do.

click knows what it expected, but each of its versions says it in other words. Here are ours for the
mistakes that are made most; what is not among them is said as click says it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

import click

from lymph.config.printable import quoted
from lymph.config.suggestions import close_name

__all__ = ['usage_line']

#: How click quotes a value, in a message about its type.
_VALUE = re.compile(r'(.*?) is not (?:a valid|in the range|one of)', re.DOTALL)
_EXTRA = re.compile(r'Got unexpected extra arguments? \((.*)\)', re.DOTALL)
_COMMAND = re.compile(r"No such command '(.*?)'\.", re.DOTALL)
_FILES = ('.yml', '.yaml')
#: Commands that take what they run from a configuration alone.
_RUNNING = ('instance', 'worker')


def usage_line(error: click.UsageError) -> str:
    """Return what is wrong and what to do, without a line break at the end."""
    command = error.ctx.command_path if error.ctx else 'lymph'
    text = ' '.join((_own_words(error) or error.format_message()).split()).rstrip('.')
    if error.ctx and not text.endswith('?') and '; ' not in text:
        text = f'{text}; see `{command} --help`'
    return f'{command}: {text}'


def _own_words(error: click.UsageError) -> str | None:
    if isinstance(error, click.NoSuchOption):
        return _unknown_option(error)
    if _is_without_command(error) and error.ctx and isinstance(error.ctx.command, click.Group):
        commands = ', '.join(error.ctx.command.list_commands(error.ctx))
        return f'expected a command, one of {commands}, found nothing'
    if isinstance(error, click.MissingParameter) and error.param is not None:
        choice = _expected(error.param.type) if isinstance(error.param.type, click.Choice) else ''
        return f'expected {_name(error.param)}{choice and f", {choice}"}, found nothing'
    if isinstance(error, click.BadParameter) and error.param is not None:
        if error.message.startswith('expected '):  # by a type of our own
            return f'{_name(error.param)}: {error.message}'
        value = _VALUE.match(error.message)
        expected = _expected(error.param.type)
        if value and expected:
            return f'{_name(error.param)}: expected {expected}, found {value[1]}'
    if isinstance(error, click.BadOptionUsage) and error.message.endswith('an argument.'):
        return f'expected a value behind {error.option_name}, found nothing'
    extra, command = _EXTRA.match(error.message), _COMMAND.match(error.message)
    if command and error.ctx and isinstance(error.ctx.command, click.Group):
        return _unknown_command(command[1], error.ctx.command.list_commands(error.ctx))
    return _extra_words(extra[1], error.ctx) if extra else None


def _is_without_command(error: click.UsageError) -> bool:
    # since click 8.2 the first one has the whole help as its message
    return type(error).__name__ == 'NoArgsIsHelpError' or error.message == 'Missing command.'


def _unknown_command(name: str, known: Sequence[str]) -> str:
    close = close_name(name, known)
    advice = f'did you mean {close!r}?' if close else f'there are {", ".join(known)}'
    return f'no command {quoted(name)}; {advice}'


def _name(param: click.Parameter) -> str:
    if isinstance(param, click.Option):
        return max(param.opts, key=len)
    return param.metavar or (param.name or '').upper()


def _unknown_option(error: click.NoSuchOption) -> str:
    close = close_name(error.option_name, _options(error.ctx) if error.ctx else ())
    advice = f'; did you mean {close}?' if close else ''
    return f'no option {quoted(error.option_name)}{advice}'


def _options(context: click.Context) -> Iterator[str]:
    """Yield the options that may be meant; those of `lymph` are hidden in its commands."""
    for param in context.command.get_params(context):
        if isinstance(param, click.Option) and (
            not param.hidden or (param.name or '').startswith('lymph_')
        ):
            yield from (*param.opts, *param.secondary_opts)


def _expected(kind: click.ParamType[Any]) -> str | None:
    if isinstance(kind, click.Choice):
        return f'one of {", ".join(map(str, kind.choices))}'
    if isinstance(kind, (click.IntRange, click.FloatRange)):
        number = 'a whole number' if isinstance(kind, click.IntRange) else 'a number'
        # `from ... to` includes both bounds.
        if kind.min is not None and kind.max is not None and not (kind.min_open or kind.max_open):
            return f'{number} from {kind.min:g} to {kind.max:g}'
        bounds = []
        if kind.min is not None:
            bounds.append(f'{"above" if kind.min_open else "of at least"} {kind.min:g}')
        if kind.max is not None:
            bounds.append(f'{"below" if kind.max_open else "of at most"} {kind.max:g}')
        return ' '.join([number, ' and '.join(bounds)])
    if kind is click.INT:
        return 'a whole number'
    # None: the words of click are kept.
    return 'a number' if kind is click.FLOAT else None


def _extra_words(words: str, context: click.Context | None) -> str:
    file = PurePath(words.split(' ')[0]).suffix in _FILES
    runs = context is not None and context.info_name in _RUNNING
    advice = '; what to run is in a configuration: give it with --config' if file or runs else ''
    return f'unexpected argument {quoted(words)}{advice}'
