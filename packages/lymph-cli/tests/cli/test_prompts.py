"""Which prompt `lymph shell` shows, and what those of IPython and ptpython do."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import Any

import pytest
from click import UsageError

from lymph.cli._running import prompt_choice
from lymph.cli._running.prompt_choice import choose_prompt
from lymph.testing.waiting import eventually

PATIENCE = 30.0


@pytest.mark.parametrize(
    ('options', 'prompt', 'history'),
    [
        ([], 'In [', 'ipython/profile_default/history.sqlite'),  # it is the preferred one
        (['--shell=ptpython'], '>>>', 'state/ptpython_history'),
    ],
)
def test_prompt_of_a_library_does_not_block_the_loop_and_can_be_interrupted_and_ended(
    shell: Any, at_terminal: Callable[..., Any], options: list[str], prompt: str, history: str
) -> None:
    home, ipython = str(shell.folder), str(shell.folder / 'ipython')
    terminal = at_terminal(
        'shell', *options,
        TERM='xterm', NO_COLOR='1', PROMPT_TOOLKIT_NO_CPR='1', HOME=home, IPYTHONDIR=ipython,
    )  # fmt: skip
    terminal.shows('client, config and lymph are there. Ctrl-D ends.')
    terminal.shows(prompt)

    terminal.type('import gevent; later = gevent.spawn_later(0.1, open, "turned", "w")\r')
    eventually((shell.folder / 'turned').exists, PATIENCE)  # while nobody types

    terminal.shows(prompt)
    terminal.type('client.container.reg')
    terminal.shows('client.container.reg')
    terminal.type('\t')
    terminal.shows('registry')
    terminal.type('\x03\x03')  # the completion, then the line
    terminal.type('f"{lymph.__name__} {type(config).__name__} {type(client).__name__}"\r')
    terminal.shows("'lymph Configuration Client'")

    terminal.shows(prompt)
    terminal.type('print("wai" "ting"); gevent.sleep(1000)\r')
    terminal.shows('waiting')
    terminal.type('\x03')
    terminal.shows('KeyboardInterrupt')
    terminal.shows(prompt)
    terminal.type('6 * 7\r')
    terminal.shows('42')
    terminal.shows(prompt)
    assert terminal.end() == 0
    assert (shell.folder / history).stat().st_size > 0


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def put_on_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('stdin', 'stdout', 'stderr'):
        monkeypatch.setattr(sys, name, _Terminal())


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    names: set[str] = set()
    find = prompt_choice.find_spec
    monkeypatch.setattr(
        prompt_choice, 'find_spec', lambda name: None if name in names else find(name)
    )
    return names


def chosen(asked: str | None = None) -> str:
    return choose_prompt(asked).__module__.rpartition('.')[2]


def test_first_installed_prompt_is_the_default(
    missing: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put_on_terminal(monkeypatch)
    assert chosen() == 'ipython_prompt'
    missing.add('IPython')
    assert chosen() == 'ptpython_prompt'
    missing.add('ptpython')
    assert chosen() == 'plain_prompt'
    assert chosen('plain') == 'plain_prompt'


@pytest.mark.parametrize(('name', 'module'), [('ipython', 'IPython'), ('ptpython', 'ptpython')])
def test_requested_prompt_that_is_not_installed_is_an_error(
    missing: set[str], name: str, module: str
) -> None:
    missing.add(module)
    with pytest.raises(UsageError) as refused:
        chosen(name)
    assert refused.value.message == (
        f"--shell={name}: {module} is not installed; pip install 'lymph-cli[{name}]' does it"
    )


def test_broken_prompt_is_skipped_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    put_on_terminal(monkeypatch)
    monkeypatch.delitem(sys.modules, 'lymph.cli._running.ipython_prompt', raising=False)
    monkeypatch.setitem(sys.modules, 'traitlets.config', None)
    assert chosen() == 'ptpython_prompt'
    assert sys.stderr.getvalue().startswith('--shell=ipython: it cannot be loaded: ')  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match='cannot be loaded'):
        chosen('ipython')


def test_prompt_without_a_terminal_is_the_plain_one(missing: set[str]) -> None:
    assert not os.isatty(0)
    assert chosen() == 'plain_prompt'
