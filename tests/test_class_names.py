"""Class names are unique in all sources, so a search finds one class."""

from __future__ import annotations

import ast
import collections
import pathlib

ROOT = pathlib.Path(__file__).parents[1]


def classes() -> dict[str, list[str]]:
    """Return where each class is defined, nested ones included, by its name."""
    found = collections.defaultdict(list)
    for path in sorted(ROOT.glob('packages/*/src/**/*.py')):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(f'{path.relative_to(ROOT)}:{node.lineno}')
    return found


def test_no_two_classes_share_a_name():
    shared = {name: places for name, places in classes().items() if len(places) > 1}
    assert shared == {}
