from __future__ import annotations

import io
import sys
from threading import Event

import pytest

from lymph.services.node._fleet.output import Labels, Output
from lymph.testing.waiting import eventually

PATIENCE = 30.0


class Paused(io.StringIO):
    """A stdout that blocks until it is resumed, like a paused terminal."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = Event()

    def write(self, text: str) -> int:
        self.goes_on.wait(PATIENCE)
        return super().write(text)


def test_stopped_reader_loses_lines_and_does_not_block_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paused = Paused()
    monkeypatch.setattr(sys, 'stdout', paused)
    output = Output(color=False)
    said = ''
    for number in range(5000):
        output.show('echo.1', str(number))
    paused.goes_on.set()

    def lost() -> bool:
        nonlocal said
        said += capsys.readouterr().err
        return 'lines of processes are lost, as nobody has read' in said

    eventually(lost, PATIENCE, lambda: said)
    output.show('echo.1', 'the next')
    eventually(lambda: 'the next' in paused.getvalue(), PATIENCE, paused.getvalue)
    written = paused.getvalue().count('\n')
    assert 1000 <= written < 5000
    assert f' {5001 - written} lines of processes' in said
    assert output.recent.last == 5002  # with what the node said
    output.finish()


def test_labels_have_the_same_width_also_after_longer_names_appear() -> None:
    labels = Labels(color=False)
    labels.add(['echo.1', 'node'])
    assert (labels['echo.1'], labels['node']) == ('echo.1 | ', 'node   | ')
    labels.add(['echo.10'])
    assert (labels['echo.10'], labels['node']) == ('echo.10 | ', 'node    | ')


def test_processes_of_one_definition_share_a_color() -> None:
    labels = Labels(color=True)
    labels.add(['echo.1', 'demo.1'])
    labels.add(['echo.2'])
    found = [labels[name] for name in ('echo.1', 'echo.2', 'demo.1')]
    colors = [label.partition('m')[0] for label in found]
    assert colors[0] == colors[1] != colors[2]
    assert all(label.endswith('\x1b[0m') for label in found)
