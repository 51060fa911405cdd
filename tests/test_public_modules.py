"""ARCHITECTURE.md lists the public modules, and each of them has an `__all__`."""

from __future__ import annotations

import ast
import importlib
import pathlib
import re

import pytest

from lymph.core import backends

ROOT = pathlib.Path(__file__).parents[1]
SECTION = (ROOT / 'ARCHITECTURE.md').read_text().split('\n## Public modules\n')[1].split('\n## ')[0]
LISTED = re.findall(r'^\| `(lymph[\w.]*)` \| \S', SECTION, re.MULTILINE)
#: distributions that do what those of strangers may want to do
BACKENDS = ('lymph-discovery-zk', 'lymph-events-kombu', 'lymph-web')


def sources() -> dict[str, pathlib.Path]:
    """All modules of all distributions; packages without code of their own are left out."""
    found = {}
    for path in ROOT.glob('packages/*/src/**/*.py'):
        parts = path.parts[path.parts.index('src') + 1 :]
        name = '.'.join(parts).removesuffix('.py').removesuffix('.__init__')
        code = [node for node in ast.parse(path.read_text()).body if type(node) is not ast.Expr]
        if path.name != '__init__.py' or any(type(node) is not ast.ImportFrom for node in code):
            found[name] = path
    return found


SOURCES = sources()
PUBLIC = sorted(name for name in SOURCES if '._' not in name)
#: the names of the face are loaded when they are used; test_face.py has its own tests for them
FACE = 'lymph'


def test_list_has_all_public_modules_and_no_others() -> None:
    assert sorted(LISTED) == PUBLIC


@pytest.mark.parametrize('name', [name for name in PUBLIC if name != FACE])
def test_every_public_module_has_its_names_in_all(name: str) -> None:
    module = importlib.import_module(name)
    offered = module.__all__
    assert len(set(offered)) == len(offered)
    for each in offered:
        assert getattr(module, each) is not None or each in vars(module)
    defined = {
        node.name
        for node in ast.parse(SOURCES[name].read_text()).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith('_')
    }
    assert defined <= set(offered), 'public by its name, and not in __all__'


def private_names(distribution: str) -> set[str]:
    """What a distribution imports from private modules of the others."""
    project = ROOT / 'packages' / distribution
    own = {name for name, path in SOURCES.items() if path.is_relative_to(project)}
    folders = {name.rpartition('.')[0] for name in own}
    return {
        alias.name
        for path in ROOT.glob(f'packages/{distribution}/src/**/*.py')
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and '._' in node.module
        if node.module not in own | folders
        for alias in node.names
    }


@pytest.mark.parametrize('distribution', BACKENDS)
def test_third_party_backends_can_use_the_same_public_names(distribution: str) -> None:
    assert private_names(distribution) <= set(backends.__all__)
