"""Imports go down the floors of ARCHITECTURE.md, never up, in circles, or through the face."""

from __future__ import annotations

import ast
import pathlib
import re

import pytest

PACKAGES = pathlib.Path(__file__).parents[1] / 'packages'

ARCHITECTURE = pathlib.Path(__file__).parents[1] / 'ARCHITECTURE.md'


def drawn_floors(title: str) -> list[list[str]]:
    """Return the floors that ARCHITECTURE.md draws below a title, from the ground up.

    A line has names, separated by commas, and what they are. A floor goes on in the next line where
    the names end with a comma.
    """
    chapter = ARCHITECTURE.read_text().split(f'\n## {title}\n')[1]
    floors, names = [], ''
    for line in chapter.split('```')[1].strip().splitlines():
        names += re.split(r'\s{2,}', line)[0]
        if not names.endswith(','):
            floors.append([f'lymph.{name.strip()}' for name in names.split(',')])
            names = ''
    return floors[::-1]


# a module belongs to the longest name that fits it
FLOORS = drawn_floors('The floors of lymph-core')
CONFIG_FLOORS = drawn_floors('The floors of lymph-config')
WEB_FLOORS = drawn_floors('The floors of lymph-web')

# what each distribution may import of the others; lymph-core's own parts are above
MAY_IMPORT = {
    'lymph-config': set(),
    'lymph-core': {'lymph-config'},
    'lymph-discovery-zk': {'lymph-config', 'lymph-core'},
    'lymph-events-kombu': {'lymph-config', 'lymph-core'},
    'lymph-web': {'lymph-config', 'lymph-core'},
    'lymph-cli': {'lymph-config', 'lymph-core'},
    'lymph-testing': {'lymph-config', 'lymph-core', 'lymph-web'},
}


def modules(distribution: str) -> dict[str, pathlib.Path]:
    source = PACKAGES / distribution / 'src'
    found = {}
    for path in source.rglob('*.py'):
        parts = path.relative_to(source).with_suffix('').parts
        found['.'.join(parts[:-1] if parts[-1] == '__init__' else parts)] = path
    return found


MODULES = {distribution: modules(distribution) for distribution in MAY_IMPORT}
HOMES = {name: distribution for distribution, found in MODULES.items() for name in found}


def imports(path: pathlib.Path) -> set[str]:
    """The modules of lymph that a file imports, for type checkers alone or at run time."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f'{node.module}.{alias.name}' for alias in node.names} & HOMES.keys()
            found |= names or {node.module}
    return {name for name in found if name == 'lymph' or name.startswith('lymph.')}


def lazy_imports(path: pathlib.Path) -> set[str]:
    """The modules of lymph that a file names in calls of `lymph.config.lazy:lazy`."""
    calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    named = {ast.literal_eval(call.args[0]) for call in calls if ast.unparse(call.func) == 'lazy'}
    return {name.partition(':')[0] for name in named if name.startswith('lymph.')}


def floor_of(module: str, floors: list[list[str]] = FLOORS) -> int:
    fitting = [
        (len(prefix), number)
        for number, floor in enumerate(floors)
        for prefix in floor
        if module == prefix or module.startswith(prefix + '.')
    ]
    assert fitting, f'{module} has no floor: give it one in ARCHITECTURE.md'
    return max(fitting)[1]


CORE = {name: path for name, path in MODULES['lymph-core'].items() if name != 'lymph'}


@pytest.mark.parametrize('module', sorted(CORE))
def test_a_module_of_lymph_core_imports_from_its_floor_or_below(module):
    above = [name for name in imports(CORE[module]) if floor_of(name) > floor_of(module)]
    assert above == []


# all but the face, which is above its parts
CONFIG = {name: path for name, path in MODULES['lymph-config'].items() if name != 'lymph.config'}


@pytest.mark.parametrize('module', sorted(CONFIG))
def test_a_module_of_lymph_config_imports_from_its_floor_or_below_also_lazily(module):
    needed = imports(CONFIG[module]) | lazy_imports(CONFIG[module])
    above = [
        name for name in needed if floor_of(name, CONFIG_FLOORS) > floor_of(module, CONFIG_FLOORS)
    ]
    assert above == []


WEB = {name: path for name, path in MODULES['lymph-web'].items() if name != 'lymph.web'}


@pytest.mark.parametrize('module', sorted(WEB))
def test_a_module_of_lymph_web_imports_from_its_floor_or_below(module):
    needed = imports(WEB[module]) & WEB.keys()
    above = [name for name in needed if floor_of(name, WEB_FLOORS) > floor_of(module, WEB_FLOORS)]
    assert above == []


@pytest.mark.parametrize('distribution', sorted(MAY_IMPORT))
def test_distribution_imports_its_dependencies_and_never_the_package_lymph_itself(distribution):
    allowed = MAY_IMPORT[distribution] | {distribution}
    for module, path in MODULES[distribution].items():
        for name in imports(path) - {module}:
            assert name != 'lymph', f'{module} imports through the face'
            assert HOMES.get(name) in allowed, f'{module} imports {name}'


@pytest.mark.parametrize('distribution', sorted(MAY_IMPORT))
def test_no_modules_of_a_distribution_import_each_other_in_a_circle(distribution):
    found = MODULES[distribution]
    graph = {name: imports(path) & found.keys() - {name, 'lymph'} for name, path in found.items()}
    while True:
        leaves = {name for name, needs in graph.items() if not needs}
        if not leaves:
            break
        graph = {name: needs - leaves for name, needs in graph.items() if name not in leaves}
    assert graph == {}


def test_similar_names_are_computed_in_one_module():
    comparing = {
        name
        for found in MODULES.values()
        for name, path in found.items()
        if re.search(r'^(from|import) difflib|[\'"]difflib:', path.read_text(), re.MULTILINE)
    }
    assert comparing == {'lymph.config.suggestions'}


@pytest.mark.parametrize(
    ('code', 'module'),
    [
        (r'fcntl\.flock\(', 'lymph.core._system.lock_files'),
        (r'was made before a fork; make|was stopped; make', 'lymph.core._system.refusals'),
    ],
    ids=['lock files', 'refusals of stopped and forked objects'],
)
def test_each_shared_mechanism_is_in_one_module(code, module):
    using = {
        name
        for found in MODULES.values()
        for name, path in found.items()
        if not name.startswith('lymph.testing.') and re.search(code, path.read_text())
    }
    assert using == {module}
