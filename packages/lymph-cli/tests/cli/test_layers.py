"""Only one module writes to the terminal, so foreign text is made printable in one place."""

from __future__ import annotations

import ast
from pathlib import Path

import lymph.cli._program.main
import lymph.services.node._fleet.output

_CLI = Path(lymph.cli._program.main.__file__).parent
_NODE = Path(lymph.services.node._fleet.output.__file__).parent

#: Modules that may write, or make text for rich: those that make it printable.
_WRITE = {_CLI / 'output.py', _NODE / 'output.py'}
_MAKE_TEXT = {_CLI / 'printing.py', _CLI / 'rendering.py'}


def _calls(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    return {ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)}


def test_only_one_module_writes_and_only_one_creates_text_for_rich() -> None:
    for path in (*_CLI.rglob('*.py'), *_NODE.rglob('*.py')):
        calls = _calls(path)
        if path not in _WRITE:
            assert not calls & {'print', 'sys.stdout.write', 'sys.stderr.write'}, path
        if path not in _MAKE_TEXT:
            assert not calls & {'Text', 'Table', 'Table.grid'}, path
