"""The command of the README's section "Commands of your own", installed and run."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).parents[2] / 'README.md'
_FILE = re.compile(r'^`([\w./]+)`[^\n]*\n\n```\w+\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def files() -> dict[str, str]:
    """Return the files of the section by their names."""
    section = README.read_text().partition('## Commands of your own\n')[2].partition('\n## ')[0]
    return dict(_FILE.findall(section))


@pytest.fixture
def installed_shell(shell: Any) -> Any:
    """A shell in which the distribution of the README is installed, from its wheel."""
    for name, text in files().items():
        shell.write(f'busy/{name}', text)
    subprocess.run(
        [sys.executable, '-m', 'hatchling', 'build', '-t', 'wheel'],
        cwd=shell.folder / 'busy',
        env=shell.environ,
        capture_output=True,
        check=True,
        timeout=60,
    )
    [wheel] = (shell.folder / 'busy' / 'dist').iterdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(shell.folder / 'site')
    shell.environ['PYTHONPATH'] = str(shell.folder / 'site')
    return shell


def at_a_terminal(shell: Any, *arguments: str) -> tuple[int, str, str]:
    """Run a command whose stderr is a terminal; returns its exit code, stdout and what it shows."""
    leader, follower = pty.openpty()
    shell.environ |= {'TERM': 'xterm', 'COLUMNS': '80'}
    running = shell.start(*arguments, stderr=follower)
    exit_code = running.end()
    os.close(follower)
    shown = os.read(leader, 1 << 16).decode()
    os.close(leader)
    return exit_code, running.stdout, shown


#: Mistakes, with the exit code and the words of the one line on stderr.
MISTAKES = [
    (['busy', 'ehco'], 1, "lymph: expected an instance of service 'ehco'"),
    (['busy', 'echo', '-c', 'nowhere.yml'], 2, 'lymph: nowhere.yml: no such file'),
    (['busy'], 2, 'lymph busy: expected SERVICE, found nothing'),
]


def test_command_of_the_readme_runs_in_pipes_and_at_a_terminal_and_fails_in_one_line(
    installed_shell: Any,
) -> None:
    shell = installed_shell
    shell.start_echo()
    [endpoint] = re.findall(r'tcp://\S+', shell.run('discover', '--instances').stdout)
    listed = shell.run('list').stdout
    assert re.search(r'^busy +Tell how many handlers run in each instance of SERVICE', listed, re.M)
    done = shell.run('--loglevel=error', 'busy', 'echo', '--no-color')
    assert (done.exit_code, done.stderr) == (0, '')
    assert [text.split() for text in done.stdout.splitlines()] == [
        ['ENDPOINT', 'RUNNING'],
        [endpoint, '0'],
    ]
    exit_code, stdout, shown = at_a_terminal(shell, 'busy', 'echo', '--json')
    assert (exit_code, json.loads(stdout)) == (0, [{'endpoint': endpoint, 'running': 0}])
    assert '1/1 instances' in shown
    assert shown.rpartition('\x1b[2K')[2] == 'asking echo: 1 of 1 instances\r\n'
    for arguments, exit_code, words in MISTAKES:
        done = shell.run(*arguments)
        assert (done.exit_code, done.stdout) == (exit_code, '')
        [line] = done.stderr.splitlines()
        assert line.startswith(words)
