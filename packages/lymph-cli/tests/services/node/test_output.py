from __future__ import annotations

from lymph.services.node.output import Labels


def test_labels_are_of_one_width_also_when_longer_names_come() -> None:
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
