"""Completion: which words are offered to a shell, which are not, and bash itself."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lymph.cli._completing import answers, offers
from lymph.cli._completing.finding import service_methods
from lymph.cli._completing.known import Known, Method
from lymph.testing.waiting import eventually

SHELLS = ('bash', 'zsh', 'fish')
FILES = Path(__file__).parent / 'texts' / 'files'

ECHO = Known(
    ('echo', 'echo.worker', 'shop'),
    (Method('echo.upper', 'Return it.', ('text', 'times')), Method('shop.buy')),
    complete=True,
    traces=(Method('b7ad', 'GET /orders: 200'), Method('c5de')),
)


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return the words offered for a line if `found` has the known names."""

    def offer(line: str, breaks: str = '', found: Known = ECHO) -> list[str]:
        monkeypatch.setattr(offers, 'known', lambda settings, methods=False, traces=False: found)
        return answers.answer(line, breaks, described=False).split('\n')

    return offer


@pytest.mark.parametrize(
    ('line', 'offered'),
    [
        ('lymph req', ['words', 'request']),
        ('lymph --loglevel debug req', ['words', 'request']),
        ('/srv/.venv/bin/lymph -c conf.yml req', ['words', 'request']),
        ('lymph dlq re', ['words', 'replay']),
        ('lymph help req', ['words', 'request']),
        ('lymph completion z', ['words', 'zsh']),
        ('lymph request e', ['words', 'echo.upper']),
        ('lymph request echo.upper ', ['unfinished', 'text=', 'times=']),
        ('lymph request echo.upper te', ['unfinished', 'text=']),
        ('lymph request echo.upper@1.2 text=foo t', ['unfinished', 'times=']),
        ('lymph request echo.upper --ti', ['words', '--timeout']),
        ('lymph request --logf', ['words', '--logfile']),
        ('lymph request --address=sh', ['words', '--address=shop']),
        ('lymph request -a sh', ['words', 'shop']),
        ('lymph inspect echo.', ['words', 'echo.worker']),
        ('lymph discover sh', ['words', 'shop']),
        ('lymph trace b', ['words', 'b7ad']),
        ('lymph trace --sl', ['words', '--slow']),
        ('lymph discover echo sh', ['words', 'shop']),
        ('lymph --loglevel=err', ['words', '--loglevel=error']),
        ('lymph discover --loglevel err', ['words', 'error']),
        ('lymph --config ', ['files']),
        ('lymph discover --config=co', ['files']),
        ('lymph request echo.upper -- -', ['words']),
        ("lymph request 'ec", ['words', 'echo.upper']),
        ('lymph request \\', ['words', 'echo.upper', 'shop.buy']),
        ('lymph', ['words']),
    ],
)
def test_matching_words_are_offered(offer: Any, line: str, offered: list[str]) -> None:
    assert offer(line) == offered


@pytest.mark.parametrize(
    ('line', 'offered'),
    [
        ('lymph --loglevel=err', ['words', 'error']),
        ('lymph request --address=sh', ['words', 'shop']),
        ('lymph request echo.up', ['words', 'echo.upper']),
    ],
)
def test_part_before_a_word_break_of_bash_is_left_out(
    offer: Any, line: str, offered: list[str]
) -> None:
    assert offer(line, '=:@') == offered


def test_names_of_the_configuration_are_offered(
    offer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / '.lymph.yml').write_text('instances: {shop: {}, shed: {}, mail: {}}')
    (tmp_path / 'conf.yml').write_text('interfaces: {echo@1.2: {}, echoes: {}}')
    monkeypatch.chdir(tmp_path)
    assert offer('lymph node restart sh') == ['words', 'shop', 'shed']
    assert offer('lymph node scale m') == ['words', 'mail']
    assert offer('lymph node ps shop sh') == ['words', 'shed']
    assert offer('lymph instance -c conf.yml --interface ec') == ['words', 'echo@1.2', 'echoes']
    assert offer('lymph discover echo e') == ['words', 'echo.worker']


def test_given_options_are_not_offered_again_unless_repeatable(offer: Any) -> None:
    offered = offer('lymph --logfile=x -c a.yml discover --json --')
    assert '--json' not in offered
    assert '--config' in offered


def test_names_that_a_shell_would_split_are_not_offered(offer: Any) -> None:
    names = ('ok', '$(reboot)', '`id`', 'a b', 'x;y', "it's", 'a\nb', 'glob*', '~root', '\x1b[2J')
    methods = tuple(Method(f'{name}.do', 'one\n\x1b[2Jtwo', (name,)) for name in names)
    found = Known(names, methods, complete=True)
    assert offer('lymph discover ', found=found) == ['words', 'ok']
    assert offer('lymph request ', found=found) == ['words', 'ok.do']
    described = answers.answer('lymph request ')
    assert described == 'words\nok.do\tone \\x1b[2Jtwo'


@pytest.mark.parametrize('name', SHELLS)
def test_script_is_printed_and_calls_lymph(quick_shell: Any, name: str) -> None:
    done = quick_shell.run('completion', name)
    assert (done.exit_code, done.stderr) == (0, '')
    assert f'completion {name} --answer' in done.stdout


class Asking:
    """Requests completions as the script of a shell does."""

    def __init__(self, forking: Any, folder: Path, environ: Mapping[str, str]) -> None:
        self._forking, self._folder, self._environ = forking, folder, environ

    def __call__(self, line: str, **environ: str) -> list[str]:
        asked = {**self._environ, 'LYMPH_COMPLETE_LINE': line, **environ}
        done = self._forking.piped(['completion', 'fish', '--answer'], self._folder, asked)
        assert (done.exit_code, done.stderr) == (0, '')
        return done.stdout.splitlines()


@pytest.fixture
def asking(forking: Any, shell: Any) -> Asking:
    return Asking(forking, shell.folder, shell.environ)


def test_running_services_and_methods_are_offered(shell: Any, asking: Asking) -> None:
    shutil.copytree(FILES, shell.folder, dirs_exist_ok=True)
    shell.start('instance', '--config=echo.yml').said(' at tcp://')
    help_ = 'Return the text in capital letters.'
    eventually(lambda: asking('lymph request echo.u') == ['words', f'echo.upper\t{help_}'])
    assert asking('lymph request echo.upper t') == ['unfinished', 'text=']
    assert asking('lymph inspect e') == ['words', 'echo']
    assert shell.run('request', 'echo.upper', 'text=a', '--trace-id=ab-1').exit_code == 0
    offered = ['words', 'ab-1\tcall echo.upper: ok']
    eventually(lambda: asking('lymph trace a') == offered, 30)


@pytest.fixture
def silent_server() -> Iterator[int]:
    with socket.create_server(('127.0.0.1', 0)) as server:
        yield server.getsockname()[1]


def test_registry_that_never_answers_is_not_waited_for(
    shell: Any, asking: Asking, silent_server: int
) -> None:
    shell.write(
        '.lymph.yml',
        'container: {registry: {class: zookeeper, connect_timeout: 300, '
        f'zkclient: {{hosts: "127.0.0.1:{silent_server}"}}}}}}\n',
    )
    for _ in range(2):
        assert asking('lymph request ec') == ['words']
    assert asking('lymph requ')[1].startswith('request\t')


@pytest.mark.parametrize(
    'files',
    [
        {'.lymph.yml': 'container: ['},
        {'.lymph.yml': 'container: {registry: {class: nosuch}}'},
        {'state': 'a file'},
    ],
)
def test_errors_while_names_are_looked_up_are_silent(
    shell: Any, asking: Asking, files: dict[str, str]
) -> None:
    for name, text in files.items():
        shell.write(name, text)
    assert asking('lymph inspect e') == ['words']


def test_damaged_cache_of_names_is_overwritten(shell: Any, asking: Asking) -> None:
    asking('lymph inspect e')
    folder = shell.folder / 'state' / 'completion'
    [path] = eventually(lambda: list(folder.glob('*.json')))
    for damage in ('{', '[]', '[' * 100_000, '{"services": 5}', '\0'):
        path.write_text(damage)
        assert asking('lymph inspect e') == ['words']
    eventually(lambda: '"services": []' in path.read_text())


class Bash:
    """An interactive bash on a terminal."""

    def __init__(self, shell: Any) -> None:
        rc = shell.write(
            'bashrc',
            f'PS1="ready: "\nPATH={shell.lymph.parent}:$PATH\neval "$(lymph completion bash)"\n',
        )
        self._terminal, theirs = pty.openpty()
        os.set_blocking(self._terminal, False)
        self._process = subprocess.Popen(
            ['bash', '--noprofile', '--rcfile', rc, '-i'],
            stdin=theirs, stdout=theirs, stderr=theirs,
            cwd=shell.folder, env={**shell.environ, 'TERM': 'dumb', 'INPUTRC': '/dev/null'},
            start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self._shown = ''

    def shows(self, text: str) -> None:
        eventually(lambda: text in self._read(), timeout=60, message=lambda: self._shown)

    def types(self, keys: str, shown: str) -> None:
        """Type keys on a new line, and wait for the text that is then shown."""
        self._shown = ''
        os.write(self._terminal, f'\x15{keys}'.encode())
        self.shows(shown)

    def close(self) -> None:
        self._process.kill()
        self._process.wait(60)
        os.close(self._terminal)

    def _read(self) -> str:
        with contextlib.suppress(BlockingIOError):
            self._shown += os.read(self._terminal, 65536).decode()
        return re.sub(r'\x1b\[[0-9;?]*[A-Za-z]|\a', '', self._shown)


@pytest.fixture
def bash(shell: Any) -> Iterator[Bash]:
    bash = Bash(shell)
    yield bash
    bash.close()


def test_bash_completes_the_typed_word(shell: Any, bash: Bash) -> None:
    shell.write('some.yml', '')
    bash.shows('ready: ')
    bash.types('lymph requ\t', 'lymph request ')
    bash.types('lymph --loglevel=de\t', 'lymph --loglevel=debug ')
    bash.types('LYMPH_CONFIG=x lymph discover --config=so\t', '--config=some.yml ')
    bash.types('lymph inst\t', 'lymph instance ')


@pytest.mark.parametrize('methods', [5, True, 0.5, 'text', {'name': 'a.b'}, [None, 5, {'name': 5}]])
def test_service_with_an_invalid_description_has_no_methods(methods: Any) -> None:
    assert service_methods({'methods': methods}, 'a') == []


def test_methods_of_an_own_interface_are_offered_with_the_first_line_of_their_help() -> None:
    wrong = {'name': 'a.c', 'help': 5, 'params': 5}
    right = {'name': 'a.b', 'help': '\n Does it.\nAt once.', 'params': ['x: int = 5', '**', None]}
    reply = {'methods': [{'name': 'lymph.ping'}, right, wrong]}
    assert service_methods(reply, 'a') == [Method('a.b', 'Does it.', ('x',)), Method('a.c')]
