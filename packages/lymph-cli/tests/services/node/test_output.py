from __future__ import annotations

from lymph.services.node.output import labels


def test_labels_are_of_one_width() -> None:
    assert labels(['echo.1', 'node'], color=False) == {'echo.1': 'echo.1 | ', 'node': 'node   | '}


def test_processes_of_one_definition_share_a_color() -> None:
    found = labels(['echo.1', 'echo.2', 'demo.1'], color=True)
    colors = [label.partition('m')[0] for label in found.values()]
    assert colors[0] == colors[1] != colors[2]
    assert all(label.endswith('\x1b[0m') for label in found.values())
