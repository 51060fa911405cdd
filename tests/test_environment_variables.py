"""docs/environment.md has every environment variable that the sources name, and no others."""

from __future__ import annotations

import ast
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[1]
#: names that are variables wherever they stand
OURS = re.compile(r'(LYMPH|LISTEN|OTEL|XDG|NOTIFY|WATCHDOG)_[A-Z_]+')


def named_in(path: pathlib.Path) -> set[str]:
    """The variables that a file names, or asks the environment for."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and OURS.fullmatch(str(node.value)):
            found.add(node.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            found |= key_of(node.func.value, node.args[0])
        elif isinstance(node, ast.Subscript):
            found |= key_of(node.value, node.slice)
    return found


def key_of(mapping: ast.expr, key: ast.expr) -> set[str]:
    wanted = 'environ' in ast.unparse(mapping) and isinstance(key, ast.Constant)
    return {str(key.value)} if wanted and re.fullmatch('[A-Z_]+', str(key.value)) else set()


def test_the_document_has_all_variables_and_no_others() -> None:
    rows = re.findall(r'^\| (`[A-Z].*?) \|', (ROOT / 'docs' / 'environment.md').read_text(), re.M)
    documented = {name for row in rows for name in re.findall(r'`(\w+)`', row)}
    named: set[str] = set()
    for path in ROOT.glob('packages/*/src/**/*.py'):
        if 'lymph-web' not in path.parts:  # its `environ` is that of WSGI
            named |= named_in(path)
    assert documented == named
