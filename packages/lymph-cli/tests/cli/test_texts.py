"""What every command prints, compared with the transcripts in `texts/`.

A transcript is a file with the name of a command. It holds command lines and what they print:

============= ====================================================================================
line          meaning
============= ====================================================================================
``## text``   a comment
``$ command`` a line as it is typed in a folder with the files of `texts/files`; NAME=value may
              stand before `lymph`, and < FILE at the end
``! text``    a line on stderr
``--- on a    what a terminal of 80 columns shows, where it is not the same; without colors
terminal``
``[1]``       the exit code, unless it is 0
otherwise     a line on stdout
============= ====================================================================================

What differs between runs and machines has a name, in commands and in what they print: $FOLDER is
the folder, $TAKEN a port in use, $HOLDER who uses it, $ECHO the endpoint of the service `echo` in
`texts/files`, which runs meanwhile, $IDENTITY the beginning of its identity, $TRACE a trace id,
$VERSION the version of lymph.

`--accept-texts` writes the files instead of comparing them, and begins those of new commands.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any

import click
import psutil
import pytest
from click.testing import CliRunner

from lymph.cli._program.program import program

TEXTS = Path(__file__).parent / 'texts'

#: The commands of this distribution; '' is `lymph` alone.
COMMANDS = (
    '',
    *(point.name for point in distribution('lymph-cli').entry_points.select(group='lymph.cli')),
)

#: Transcripts that are not about one command; played in pipes alone.
TOPICS = ('mistakes',)

_TRACE = re.compile('trace [0-9a-f]{16,}')
_IDENTITY = re.compile('(?<=echo:)[0-9a-f]{8}')
_STYLE = re.compile(r'\x1b\[[0-9;?]*[A-Za-z]')


def transcript(command: str) -> Path:
    return TEXTS / f'{command or "lymph"}.txt'


def helps(command: str) -> Iterator[str]:
    """Yield the command lines that show the help of a command and of its own commands."""
    found = program.get_command(click.Context(program), command) if command else None
    inner = sorted(found.commands) if isinstance(found, click.Group) else ()
    for name in ('', *inner):
        yield ' '.join(
            ['lymph', *([command] if command else []), *([name] if name else []), '--help']
        )


@dataclass
class Stage:
    """The folder and services with which the commands of transcripts run."""

    forking: Any
    folder: Path
    environ: dict[str, str]
    names: Mapping[str, str]

    def play(self, command: str, on_terminal: bool = True) -> str:
        """Return the output expected below a command line, independent of the machine."""
        words = shlex.split(self._filled(command))
        environ = dict(self.environ)
        while '=' in words[0]:
            name, _, value = words.pop(0).partition('=')
            environ[name] = value
        assert words.pop(0) == 'lymph'
        stdin = b''
        if len(words) > 1 and words[-2] == '<':
            stdin = (self.folder / words.pop()).read_bytes()
            words.pop()
        piped = self.forking.piped(words, self.folder, environ, stdin)
        lines = [
            *piped.stdout.splitlines(),
            *(f'! {line}'.rstrip() for line in piped.stderr.splitlines()),
        ]
        if on_terminal and not stdin:
            shown = self.forking.on_terminal(words, self.folder, environ)
            text = _STYLE.sub('', shown.stdout)
            assert shown.exit_code == piped.exit_code, text
            streams = (piped.stdout + piped.stderr, piped.stderr + piped.stdout)
            if self._named(text) not in map(self._named, streams):
                lines += ['--- on a terminal', *(line.rstrip() for line in text.splitlines())]
        if piped.exit_code:
            lines.append(f'[{piped.exit_code}]')
        return self._named('\n'.join(lines).rstrip('\n'))

    def _filled(self, text: str) -> str:
        for name, value in self.names.items():
            text = text.replace(name, value)
        return text

    def _named(self, text: str) -> str:
        for name, value in self.names.items():
            text = text.replace(value, name)
        return _IDENTITY.sub('$IDENTITY', _TRACE.sub('trace $TRACE', text))


@pytest.fixture(scope='module')
def stage(forking: Any, shared_shell: Any, tmp_path_factory: Any) -> Iterator[Stage]:
    shutil.copytree(TEXTS / 'files', shared_shell.folder, dirs_exist_ok=True)
    echo = shared_shell.start('instance', '--config=echo.yml')
    echo.said('echo@1.2.0 at tcp://')
    [endpoint] = re.findall(r'tcp://\S+', echo.stderr)
    folder = tmp_path_factory.mktemp('folder')
    shutil.copytree(TEXTS / 'files', folder, dirs_exist_ok=True)
    environ = {
        'HOME': str(folder),
        'LANG': 'C.UTF-8',
        'LYMPH_STATE_DIR': shared_shell.environ['LYMPH_STATE_DIR'],
        'PATH': f'{Path(sys.executable).parent}:/usr/bin:/bin',
        'PYTHONDONTWRITEBYTECODE': '1',
        'TERM': 'xterm-256color',
    }
    with socket.create_server(('127.0.0.1', 0)) as taken:
        names = {
            '$FOLDER': str(folder),
            '$ECHO': endpoint,
            '$TAKEN': str(taken.getsockname()[1]),
            '$HOLDER': f'{psutil.Process().name()} (process {os.getpid()})',
            '$VERSION': version('lymph-cli'),
        }
        yield Stage(forking, folder, environ, names)


def commands_and_comments(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(('$ ', '## '))]


def blocks(text: str) -> dict[str, str]:
    """Return the command lines of a transcript with what they print."""
    return dict(re.findall(r'^\$ (.*)\n((?:(?!\$ |## ).*\n)*)', text, re.MULTILINE))


@pytest.mark.parametrize('command', [*COMMANDS, *TOPICS])
def test_command_prints_what_its_transcript_shows(stage: Stage, command: str, request: Any) -> None:
    path = transcript(command)
    found = path.read_text() if path.exists() else ''
    played = []
    lines = commands_and_comments(found)
    expected = [] if command in TOPICS else [f'$ {each}' for each in helps(command)]
    missing = [each for each in expected if each not in lines]
    for line in [*missing, *lines]:
        played.append(
            line
            if line.startswith('## ')
            else f'{line}\n{stage.play(line[2:], command not in TOPICS)}\n'
        )
    text = '\n'.join(played)
    if request.config.getoption('accept_texts'):
        path.write_text(text)
    elif text != found:
        shown = unified_diff(
            found.splitlines(), text.splitlines(), path.name, 'printed', lineterm=''
        )
        advice = 'if this is what you want: make test-lymph-cli ARGS=--accept-texts'
        pytest.fail('\n'.join([*shown, advice]), pytrace=False)


@pytest.mark.parametrize('command', COMMANDS)
def test_help_is_complete_on_a_narrow_terminal(command: str) -> None:
    path = transcript(command)
    shown = blocks(path.read_text()) if path.exists() else {}
    for line in shown.keys() & set(helps(command)):
        words = line.split()[1:]
        # the width that click takes where there are fewer columns
        result = CliRunner().invoke(program, words, prog_name='lymph', terminal_width=50)
        # click cuts what the commands of a group do, on every terminal
        end = 'Commands:' if command else None
        wide, narrow = (
            text.split(end)[0] if end else text for text in (shown[line], result.output)
        )
        assert ''.join(narrow.split()) == ''.join(wide.split())


def test_every_transcript_belongs_to_a_command_or_a_topic() -> None:
    assert set(TEXTS.glob('*.txt')) <= {transcript(each) for each in (*COMMANDS, *TOPICS)}
