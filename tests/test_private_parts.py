"""docs/private-parts.md lists each private part of another library that the sources use.

What is found: `thing._name` where no class, function or module of lymph defines `_name`; the same
below objects that are known to be foreign; and underscored methods and attributes of classes whose
base is another library's. What has no underscore and is undocumented nobody can find: the table has
it, too, because whoever used it has put it there.
"""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import pkgutil
import re
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / 'docs' / 'private-parts.md'
SOURCES = sorted((ROOT / 'packages').glob('*/src/lymph/**/*.py'))

#: underscored, and documented by the standard library
DOCUMENTED = frozenset(
    (
        '_asdict',
        '_fields',
        '_replace',
        '_make',
        '_exit',
        '_getframe',
        '_current_frames',
        '_run',
        '_typeshed',
    )
)
#: names of objects of other libraries, whose attributes may have names that lymph uses as well
FOREIGN = frozenset(('client', 'KazooClient', 'ConnectionHandler', 'pyamqp', 'amqp', 'redis'))

Use = tuple[str, str]  # a file, as the document names it, and the name with its underscore


Nodes = list[ast.AST]


def nodes_of(source: str) -> Nodes:
    return list(ast.walk(ast.parse(source)))


def is_private(name: str) -> bool:
    return name.startswith('_') and not name.endswith('__') and name not in DOCUMENTED


def name_of(path: Path) -> str:
    return '/'.join(path.parts[path.parts.index('src') + 1 :])


def own_names(files: Iterable[Nodes]) -> set[str]:
    """Return the private names that lymph's sources define."""
    found: set[str] = set()
    for node in itertools.chain.from_iterable(files):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id == 'self':
                found.add(node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return {name for name in found if is_private(name)}


def accesses(nodes: Nodes, own: set[str]) -> Iterator[str]:
    """Yield the private names of other libraries' objects and modules."""
    for node in nodes:
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            root = ast.unparse(node.value)
            if node.attr not in own or FOREIGN & set(root.split('.')):
                yield node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ('getattr', 'setattr'):
            texts = [each.value for each in node.args if isinstance(each, ast.Constant)]
            names = [text for text in texts if isinstance(text, str) and is_private(text)]
            yield from (name for name in names if name not in own)
        elif isinstance(node, ast.ImportFrom) and not (node.module or '').startswith('lymph'):
            names = [*(node.module or '').split('.'), *(each.name for each in node.names)]
            yield from (name for name in names if is_private(name))


def bases(nodes: Nodes) -> Iterator[tuple[ast.ClassDef, object]]:
    """Yield the classes that are derived from another library's, and what from."""
    imported: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            imported |= {
                each.asname or each.name: f'{node.module}.{each.name}' for each in node.names
            }
        elif isinstance(node, ast.Import):
            imported |= {each.asname or each.name: each.name for each in node.names}
    for node in nodes:
        for base in node.bases if isinstance(node, ast.ClassDef) else ():
            first, dot, rest = ast.unparse(base).partition('[')[0].partition('.')
            reference = f'{imported.get(first, "lymph")}{dot}{rest}'
            if not reference.startswith('lymph'):
                yield node, pkgutil.resolve_name(reference)


@functools.cache
def attributes(base: object) -> set[str]:
    """Return the private attributes that the methods of a class and of its bases set."""
    found = set()
    for each in getattr(base, '__mro__', ()):
        with suppress(OSError, TypeError):  # it has no source in Python
            for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(each)))):
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                    found.add(node.attr)
    return {name for name in found if is_private(name)}


def inherited(nodes: Nodes) -> Iterator[str]:
    """Yield the private names of a foreign base that a class overrides or uses."""
    for node, base in bases(nodes):
        theirs = {name for name in dir(base) if is_private(name)} | attributes(base)
        own_parts = {f'self.{name}' for name in theirs}
        for part in ast.walk(node):
            if isinstance(part, ast.FunctionDef) and part.name in theirs:
                yield part.name
            elif isinstance(part, ast.Attribute) and ast.unparse(part) in own_parts:
                yield part.attr


@functools.cache
def uses() -> set[Use]:
    files = {path: nodes_of(path.read_text()) for path in SOURCES}
    own = own_names(files.values())
    return {
        (name_of(path), name)
        for path, nodes in files.items()
        for name in (*accesses(nodes, own), *inherited(nodes))
    }


def rows() -> Iterator[list[str]]:
    for line in DOCUMENT.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip('|').split('|')]
        if line.startswith('| ') and '`lymph/' in line:
            yield cells


def listed() -> set[Use]:
    found = set()
    for _library, part, where, *_ in rows():
        for path in re.findall(r'`(lymph/[^`]+)`', where):
            found |= {(path, name) for name in re.findall(r'(?<![A-Za-z0-9_])_[A-Za-z]\w*', part)}
    return found


def test_each_private_part_that_is_used_is_in_the_document() -> None:
    assert uses() - listed() == set()


def test_each_private_part_in_the_document_is_used() -> None:
    assert listed() - uses() == set()


def test_the_files_in_the_document_exist() -> None:
    known = {name_of(path) for path in SOURCES}
    named = {path for row in rows() for path in re.findall(r'`(lymph/[^`]+)`', row[2])}
    assert named <= known


@pytest.mark.parametrize(
    ('source', 'found'),
    [
        ('def f(hub):\n    hub._links_of_gevent.clear()', {'_links_of_gevent'}),
        ('def f(x):\n    return getattr(x, "_secret_of_others", None)', {'_secret_of_others'}),
        ('from gevent._util import _NONE', {'_util', '_NONE'}),
        ('def f(client):\n    client._connection.close()', {'_connection'}),
        ('def f(x):\n    return x._replace(a=1)', set()),
    ],
)
def test_a_new_use_is_noticed(source: str, found: set[str]) -> None:
    assert set(accesses(nodes_of(source), {'_connection'})) == found


def test_a_private_method_that_is_overridden_is_noticed() -> None:
    source = 'import redis\nclass Mine(redis.Connection):\n    def _connect(self): ...'
    assert set(inherited(nodes_of(source))) == {'_connect'}
