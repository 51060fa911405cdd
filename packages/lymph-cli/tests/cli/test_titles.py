"""The title of a process, with and without the library that sets it."""

from __future__ import annotations

import importlib
import subprocess
import sys
from types import SimpleNamespace

import pytest

from lymph.cli._running import titles

SHOW = """
import pathlib
from lymph.cli._running.titles import set_title
set_title('lymph instance 12: echo\\nsite')
print(pathlib.Path('/proc/self/cmdline').read_text().rstrip(chr(0)))
print(pathlib.Path('/proc/self/comm').read_text(), end='')
"""


def test_the_title_is_one_line_and_the_process_stays_lymph_by_name() -> None:
    done = subprocess.run(
        [sys.executable, '-c', SHOW], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == 'lymph instance 12: echo site\nlymph\n'


def test_failure_to_set_the_title_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_title: str) -> None:
        raise OSError('no')

    monkeypatch.setattr(titles, 'setproctitle', SimpleNamespace(setproctitle=fail))
    titles.set_title('lymph')
    titles.set_title('\udc80')


def test_without_the_library_there_are_no_titles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'setproctitle', None)
    importlib.reload(titles)
    try:
        titles.set_title('lymph')
    finally:
        monkeypatch.undo()
        importlib.reload(titles)
