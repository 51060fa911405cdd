"""What commands load, and what they do without: a command starts as fast as its imports.

`make bench-cli` measures; here is only told which modules no command may load by mistake.
"""

from __future__ import annotations

import inspect
from typing import Any

import click
import pytest

from lymph.cli._commands.summaries import SUMMARIES
from lymph.cli._program.program import program
from lymph.config.plugins import installed

#: Runs a command line and says last, on stderr, which modules it has loaded.
MODULES = """
import sys
from lymph.cli._program.main import main
code = main(sys.argv[1:])
sys.stderr.write('\\n' + ' '.join(sys.modules))
sys.exit(code)
"""

#: What no listing, help or version needs.
HEAVY = {
    *('asyncio', 'dataclasses', 'email', 'gevent', 'importlib.metadata', 'importlib_metadata'),
    *('json', 'kombu', 'logging', 'msgpack', 'psutil', 'rich', 'sqlite3', 'ssl'),
    *('traceback', 'yaml', 'zmq', 'lymph.core.container', 'lymph.client'),
}


def modules(shell: Any, *arguments: str) -> set[str]:
    done = shell.python(MODULES, *arguments)
    assert done.exit_code == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    'arguments', [['--help'], ['list'], ['list', '--color'], ['--version'], ['help']]
)
def test_help_list_and_version_load_no_command(shell: Any, arguments: list[str]) -> None:
    loaded = modules(shell, *arguments)
    own = {'_commands', '_commands.summaries', f'_commands.{arguments[0]}_'}
    commands = {name for name in loaded if name.startswith('lymph.cli._commands')}
    assert commands <= {f'lymph.cli.{name}' for name in own}
    assert loaded & HEAVY == set()


ALL_HELP = """
import sys
from lymph.cli._program.main import main
for name in sys.argv[1:]:
    assert main([name, '--help']) == 0
sys.stderr.write('\\n' + ' '.join(sys.modules))
"""


def test_help_of_commands_loads_none_of_their_runtime_dependencies(shell: Any) -> None:
    done = shell.python(ALL_HELP, *installed('lymph.cli'))
    assert done.exit_code == 0, done.stderr
    loaded = set(done.stderr.splitlines()[-1].split())
    assert loaded & (HEAVY - {'dataclasses', 'logging'}) == set()


@pytest.mark.parametrize('name', installed('lymph.cli'))
def test_summary_of_a_command_is_the_beginning_of_its_help(name: str) -> None:
    command = installed('lymph.cli')[name].load()
    assert isinstance(command, click.Command)
    words = ' '.join(inspect.cleandoc(command.help or '').partition('\n\n')[0].split())
    assert SUMMARIES.get(name) == words, 'put it into lymph.cli._commands.summaries'
    assert program.described()[name].get_short_help_str(200) == command.get_short_help_str(200)


#: What nobody needs who asks services, over the embedded registry and in a pipe.
UNUSED = {
    *('asyncio', 'email', 'importlib.metadata', 'importlib_metadata', 'kombu', 'multiprocessing'),
    *('rich', 'psutil', 'sqlite3', 'yaml', 'zmq', 'lymph.events._embedded.system'),
}


def test_client_commands_load_only_what_they_need(shell: Any) -> None:
    shell.start_echo()
    for arguments in (['discover'], ['request', 'echo.upper', 'text=a'], ['inspect', 'echo']):
        loaded = modules(shell, *arguments)
        assert loaded & UNUSED == set(), arguments
        commands = {name for name in loaded if name.startswith('lymph.cli._commands.')}
        assert commands == {'lymph.cli._commands.summaries', f'lymph.cli._commands.{arguments[0]}'}
    shell.write('.lymph.yml', 'container: {rpc: {timeout: 5}}\n')
    assert modules(shell, 'discover') & (UNUSED - {'yaml'}) == set()


STRANGER = """
import click, gc
from lymph.cli.lazy import lazy

_tell = lazy('strange:tell')

def tell():
    click.echo(f'lazy {gc.isenabled()}')

@click.command()
def command():
    '''Tell whether garbage is collected.'''
    click.echo(f'stranger {gc.isenabled()}')
    _tell()
"""


def test_garbage_is_collected_once_a_command_runs(shell: Any) -> None:
    shell.write('site/strange.py', STRANGER)
    shell.write(
        'site/strange-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\nName: strange\nVersion: 1\n'
    )
    entries = '[lymph.cli]\nstrange = strange:command\n'
    shell.write('site/strange-1.0.dist-info/entry_points.txt', entries)
    shell.environ['PYTHONPATH'] = str(shell.folder / 'site')
    assert shell.run('strange').stdout == 'stranger True\nlazy True\n'
