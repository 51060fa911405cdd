"""Output of commands for services and events with hostile or malformed content."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

#: Tries to clear the screen, to write over the line, to forge a line, to reverse text.
EVIL = 'a\x1b[2J\x1b]0;owned\x07\x9b31m\rb\b\0\x7f\u2028\u202ec[red]d[/red]:smile:\nforged'
SHOWN = r'\x1b[2J\x1b]0;owned\x07\x9b31m'

#: Answers what the file `answer` holds, and raises it if it is text that begins so.
STRANGER = """
from lymph.monkey import patch
patch()
import ast
import lymph
import lymph.core.container as container
from lymph.core._hosting.builtin import BuiltinInterface

def answer():
    found = ast.literal_eval(open('answer').read())
    if isinstance(found, dict) and 'raise' in found:
        raise ValueError(found['raise'])
    return found

class Stranger(BuiltinInterface):
    @lymph.rpc(raises=ValueError)
    def inspect(self):
        return answer()

    @lymph.rpc(raises=ValueError)
    def change_loglevel(self, logger, level, period=None):
        return answer()

class Echo(lymph.Interface):
    @lymph.rpc(raises=ValueError)
    def ask(self):
        return answer()

container.BuiltinInterface = Stranger
service = container.ServiceContainer.from_config()
service.install_interface(Echo, 'echo')
service.start()
print('ready', flush=True)
service.join()
"""


@pytest.fixture
def stranger(shell: Any) -> Any:
    script = shell.write('stranger.py', STRANGER)
    shell.start(str(script), program=Path(sys.executable)).said('ready')
    return shell


#: What is no description of methods.
WRONG = [
    None,
    ['methods'],
    {'methods': {}},
    {'methods': [None]},
    {'methods': [{'name': 5}]},
    {'methods': [{'name': 'echo.x', 'params': 'self'}]},
    {'methods': [{'name': 'echo.x', 'params': [1]}]},
    {'methods': [{'name': 'echo.x', 'help': {'a': EVIL}}]},
    {'methods': [{'name': 'echo.x', 'version': 1.5}, {'name': 'echo.x', 'version': 'x'}]},
    {'methods': ['x' * 1_000_000]},
]


def is_safe(text: str) -> bool:
    """Tell whether text has no control characters except line breaks and lymph's colors."""
    return re.sub('\n|\x1b\\[[0-9;]*m', '', text).isprintable()


def ask(shell: Any, answer: object, *arguments: str) -> Any:
    shell.write('answer', repr(answer))
    done = shell.run(*arguments)
    assert is_safe(done.stdout)
    assert is_safe(done.stderr)
    return done


def test_answers_are_printed_without_control_characters(stranger: Any) -> None:
    done = ask(stranger, {EVIL: [EVIL]}, 'request', 'echo.ask')
    assert SHOWN in done.stdout
    assert '[red]d[/red]:smile:' in done.stdout
    assert '\x1b' not in done.stdout
    assert ask(stranger, {EVIL: [EVIL]}, 'request', 'echo.ask', '--color').exit_code == 0
    done = ask(stranger, {EVIL: [EVIL]}, 'request', 'echo.ask', '--json')
    assert json.loads(done.stdout) == {EVIL: [EVIL]}


def test_errors_are_printed_on_one_line_without_control_characters(stranger: Any) -> None:
    for command in (('request', 'echo.ask'), ('change-loglevel', 'echo', 'root', 'DEBUG')):
        done = ask(stranger, {'raise': EVIL}, *command)
        assert done.exit_code == 1
        [line] = done.stderr.splitlines()
        assert SHOWN in line
        done = ask(stranger, {'raise': 'long ' * 1_000_000}, *command)
        assert len(done.stderr) < 5_000


def test_descriptions_keep_line_breaks_and_no_other_control_character(stranger: Any) -> None:
    method = {'name': f'echo.{EVIL}', 'version': EVIL, 'params': [EVIL], 'help': f'one\n{EVIL}'}
    done = ask(stranger, {'methods': [method]}, 'inspect', 'echo', '--all')
    first, *rest = done.stdout.splitlines()
    assert first.count(SHOWN) == 3
    assert rest[0] == '    one'
    assert rest[2] == '    forged'
    done = ask(stranger, {'methods': [method]}, 'inspect', 'echo', '--all', '--json')
    assert json.loads(done.stdout)['methods'] == [method]


def test_malformed_description_is_one_line(stranger: Any) -> None:
    for answer in WRONG:
        done = ask(stranger, answer, 'inspect', 'echo')
        assert (done.exit_code, done.stdout) == (1, '')
        [line] = done.stderr.splitlines()
        assert line.startswith('lymph: the answer to lymph.inspect is wrong: expected ')
        assert len(line) < 300
    assert ask(stranger, None, 'inspect', 'echo', '--json').exit_code == 1


def test_missing_details_of_a_method_are_left_out(stranger: Any) -> None:
    done = ask(stranger, {'methods': [{'name': 'echo.x'}]}, 'inspect', 'echo')
    assert done.stdout == 'echo.x()\n\n'


FAILING = """
import lymph

class Failing(lymph.Interface):
    @lymph.event('evil')
    def on_evil(self, event):
        print('got it')
        raise ValueError(event['text'])
"""


def test_events_and_dead_letters_are_printed_without_control_characters(shell: Any) -> None:
    shell.write('failing.py', FAILING)
    shell.write('failing.yml', 'interfaces: {failing: {class: "failing:Failing"}}\n')
    failing = shell.start('instance', '-c', 'failing.yml')
    failing.said('failing at tcp://')
    subscribed = shell.start('subscribe', 'evil', '--count=1')
    subscribed.said('subscribed')
    body = {'text': EVIL, EVIL: 1}
    assert shell.run('emit', 'evil', '-', input=json.dumps(body)).exit_code == 0
    assert subscribed.end() == 0
    assert SHOWN in subscribed.stdout
    assert is_safe(subscribed.stdout)
    failing.said('got it')
    for _ in range(100):
        listed = shell.run('dlq', 'list')
        if listed.stdout:
            break
    _, row = listed.stdout.splitlines()
    assert SHOWN in row
    shown = shell.run('dlq', 'show', row.split()[0])
    assert SHOWN in shown.stdout
    assert is_safe(listed.stdout)
    assert is_safe(shown.stdout)
    facts = json.loads(shell.run('dlq', 'list', '--json').stdout)
    assert facts[0]['body'] == body
