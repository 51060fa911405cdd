"""The command line as a whole: help, lists, third-party plugins, wrong usage."""

from __future__ import annotations

import json
import re
from importlib.metadata import distribution
from typing import Any

import pytest
from click.testing import CliRunner

from lymph.cli._program.program import program
from lymph.config import PluginError

COMMANDS = tuple(sorted(distribution('lymph-cli').entry_points.select(group='lymph.cli').names))


def publish(shell: Any, name: str, **commands: str) -> None:
    """Make a distribution importable that publishes subcommands."""
    shell.write(
        f'site/{name}-1.5.dist-info/METADATA',
        f'Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n',
    )
    lines = [f'{command} = {reference}' for command, reference in commands.items()]
    shell.write(
        f'site/{name}-1.5.dist-info/entry_points.txt', '\n'.join(['[lymph.cli]', *lines, ''])
    )
    shell.environ['PYTHONPATH'] = str(shell.folder / 'site')


TOP = """
import click
from lymph.cli.settings import pass_settings

@click.command()
@click.option('-c', '--columns', type=int, default=1)
@pass_settings
def command(settings, columns):
    '''Show what is busy.'''
    click.echo(f'{columns} {settings.config} {settings.loglevel}')
"""


@pytest.mark.parametrize('name', COMMANDS)
def test_every_command_explains_itself_with_an_example(name: str) -> None:
    result = CliRunner().invoke(program, [name, '--help'], prog_name='lymph')
    assert result.exit_code == 0
    assert f'Usage: lymph {name}' in result.output
    assert re.search(rf'Examples?:\s+lymph\b.*\b{name}\b', result.output)
    assert '--config' in result.output


ALL_HELP = """
import click
from click.testing import CliRunner
from lymph.cli._program.program import program

def show(*names):
    print(CliRunner().invoke(program, [*names, '--help'], prog_name='lymph').output)

context = click.Context(program)
print(CliRunner().invoke(program, ['list'], prog_name='lymph').output)
for name in program.list_commands(context):
    command = program.get_command(context, name)
    show(name)
    for inner in getattr(command, 'commands', ()):
        show(name, inner)
"""


def test_help_does_not_depend_on_docstrings(shell: Any) -> None:
    plain = shell.python(ALL_HELP)
    shell.environ['PYTHONOPTIMIZE'] = '2'
    assert shell.python(ALL_HELP) == plain
    assert plain.stdout.count('Usage: lymph') > len(COMMANDS)


def test_service_without_docstrings_is_inspected_without_help(shell: Any) -> None:
    shell.environ['PYTHONOPTIMIZE'] = '2'
    shell.start_echo()
    assert 'echo.upper(text=None)\n\n' in shell.run('inspect', 'echo').stdout


def test_help_of_a_command_comes_from_the_command(shell: Any) -> None:
    assert shell.run('help', 'request') == shell.run('request', '--help')
    assert shell.run('help', 'dlq', 'replay') == shell.run('dlq', 'replay', '--help')
    assert shell.run('help') == shell.run('--help')


def test_all_commands_are_listed_with_a_summary(shell: Any) -> None:
    listed = [line.split(maxsplit=1) for line in shell.run('list').stdout.splitlines()]
    assert tuple(name for name, _ in listed) == COMMANDS
    assert all(len(words) > 10 for _, words in listed)
    facts = json.loads(shell.run('list', '--json').stdout)
    assert [(each['name'], each['help'], each['broken']) for each in facts] == [
        (name, words, None) for name, words in listed
    ]


def test_commands_of_other_distributions_are_listed_and_take_the_global_options(
    shell: Any,
) -> None:
    shell.write('site/busy.py', TOP)
    publish(shell, 'lymph-busy', busy='busy:command')
    assert re.search(r'^busy +Show what is busy\.$', shell.run('list').stdout, re.M)
    done = shell.run('--loglevel=error', 'busy', '-c', '3', '--config=a.yml')
    assert (done.exit_code, done.stdout) == (0, "3 ('a.yml',) ERROR\n")


@pytest.mark.parametrize(
    ('reference', 'source', 'reason'),
    [
        ('busy:command', None, "no module 'busy'"),
        ('busy:command', 'import no_such_thing', "No module named 'no_such_thing'"),
        ('busy:command', '1 / 0', 'ZeroDivisionError'),
        ('busy:command', 'def broken(:', 'SyntaxError'),
        ('busy:command', '', "no 'command' in"),
        ('busy:command', 'def command(): pass', 'click:Command'),
    ],
)
def test_broken_command_is_listed_with_its_reason_and_does_not_affect_others(
    shell: Any, reference: str, source: str | None, reason: str
) -> None:
    if source is not None:
        shell.write('site/busy.py', source)
    publish(shell, 'lymph-busy', busy=reference)
    listed = shell.run('list')
    assert listed.exit_code == 0
    assert reason in next(line for line in listed.stdout.splitlines() if line.startswith('busy'))
    assert len(listed.stdout.splitlines()) == len(COMMANDS) + 1
    for arguments in (['busy', 'x', '--y'], ['busy', '--help']):
        done = shell.run(*arguments)
        assert done.exit_code == 2
        [line] = done.stderr.splitlines()
        assert reason in line
        assert 'lymph-busy 1.5' in line


ODD_COMMANDS = """
import click

class Silent(click.Command):
    def get_short_help_str(self, limit=45):
        raise SystemExit(6)

class Shy(click.Command):
    hidden = property(lambda self: 1 / 0, lambda self, value: None)

class Unbound(click.Command):
    @property
    def __class__(self):
        raise SystemExit(4)

number = click.Command('number', help=5)
unbound = Unbound('unbound', help='Say nothing.')
silent = Silent('silent')
shy = Shy('shy')
halfmade = click.Command.__new__(click.Command)
"""


def test_commands_that_cannot_describe_themselves_are_listed_as_broken(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.write('site/odd_commands.py', ODD_COMMANDS)
    names = ('number', 'silent', 'shy', 'halfmade')
    publish(shell, 'odd', **{name: f'odd_commands:{name}' for name in (*names, 'unbound')})
    monkeypatch.syspath_prepend(shell.folder / 'site')
    listed = CliRunner().invoke(program, ['list', '--json'], prog_name='lymph')
    assert listed.exit_code == 0, listed.output
    found = json.loads(listed.stdout)
    assert {'name': 'unbound', 'help': 'Say nothing.', 'broken': None} in found
    broken = {each['name']: each['broken'] for each in found if each['broken']}
    reasons = {
        'number': 'AttributeError',
        'silent': 'SystemExit: 6',
        'shy': 'ZeroDivisionError',
        'halfmade': 'AttributeError',
    }
    assert broken.keys() == reasons.keys()
    for name, reason in reasons.items():
        origin = f'plugin {name!r} in group lymph.cli (from odd 1.5)'
        assert broken[name].startswith(f'{origin} cannot be used: {reason}')
    for arguments in (['--help'], ['help']):
        shown = CliRunner().invoke(program, arguments, prog_name='lymph')
        assert shown.exit_code == 0
        assert '(broken)' in shown.stdout
    run = CliRunner().invoke(program, ['halfmade'], prog_name='lymph', standalone_mode=False)
    assert isinstance(run.exception, PluginError)


def test_help_survives_a_broken_command(shell: Any) -> None:
    publish(shell, 'lymph-busy', busy='busy:command')
    assert shell.run('--help').exit_code == 0
    done = shell.run('help', 'busy')
    assert done.exit_code == 2
    assert "no module 'busy'" in done.stderr


def test_command_that_two_distributions_define_is_an_error_that_names_both(shell: Any) -> None:
    shell.write('site/busy.py', TOP)
    publish(shell, 'lymph-busy', busy='busy:command')
    publish(shell, 'lymph-idle', busy='busy:command')
    done = shell.run('busy')
    assert done.exit_code == 2
    assert 'lymph-busy 1.5' in done.stderr
    assert 'lymph-idle 1.5' in done.stderr


@pytest.mark.parametrize('arguments', [['--version'], ['request', '--version']])
def test_version_is_printed(shell: Any, arguments: list[str]) -> None:
    assert re.fullmatch(r'lymph \d+\.\d+\.\d+\S*\n', shell.run(*arguments).stdout)


def test_lymph_alone_shows_its_help(shell: Any) -> None:
    assert shell.run() == shell.run('--help')


@pytest.mark.parametrize('arguments', [['--help'], ['list'], ['help', 'instance'], ['config']])
def test_informational_commands_load_nothing_heavy(shell: Any, arguments: list[str]) -> None:
    shell.write(
        'site/sitecustomize.py',
        'import atexit, sys\n'
        'heavy = ("gevent", "greenlet", "zmq", "kazoo", "kombu", "werkzeug", "sqlite3")\n'
        'told = lambda: [name for name in heavy if name in sys.modules]\n'
        'atexit.register(lambda: print("loaded", told(), file=sys.stderr))\n',
    )
    shell.environ['PYTHONPATH'] = str(shell.folder / 'site')
    done = shell.run(*arguments)
    assert (done.exit_code, done.stderr) == (0, 'loaded []\n')
