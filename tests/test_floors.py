"""Imports go down the floors of ARCHITECTURE.md, never up, in circles, or through the face."""

from __future__ import annotations

import ast
import pathlib

import pytest

PACKAGES = pathlib.Path(__file__).parents[1] / 'packages'

# lymph-core from the ground up; a module belongs to the longest prefix that fits it
FLOORS = [
    [
        'lymph.config',
        'lymph.core.addresses',
        'lymph.core.contracts',
        'lymph.core.failures',
        'lymph.core.limits',
        'lymph.exceptions',
        'lymph.monkey',
    ],
    [
        'lymph.serializers',
        'lymph.core.blocking',
        'lymph.core.clocks',
        'lymph.core.deadlines',
        'lymph.core.events',
        'lymph.core.connecting',
        'lymph.core.flights',
        'lymph.core.forks',
        'lymph.core.greenlets',
        'lymph.core.hooks',
        'lymph.core.inherited',
        'lymph.core.messages',
        'lymph.core.monitoring.log_limits',
        'lymph.core.monitoring.log_publisher',
        'lymph.core.monitoring.log_records',
        'lymph.core.monitoring.loglevels',
        'lymph.core.monitoring.metrics',
        'lymph.core.monitoring.once_log',
        'lymph.core.options',
        'lymph.core.resolving',
        'lymph.core.state',
        'lymph.core.state_files',
        'lymph.core.threads',
        'lymph.core.trace',
        'lymph.core.versioning',
        'lymph.core.workers',
    ],
    [
        'lymph.core.components',
        'lymph.core.doorbell',
        'lymph.core.processes',
    ],
    ['lymph.core.monitoring.watchdog', 'lymph.core.protocol', 'lymph.core.transport.base'],
    ['lymph.core.transport'],
    ['lymph.core.channels', 'lymph.core.connections', 'lymph.core.facts', 'lymph.core.services'],
    [
        'lymph.core.diagnosis',
        'lymph.core.leftovers',
        'lymph.core.partitioning',
        'lymph.discovery',
        'lymph.events',
    ],
    ['lymph.core.declaring', 'lymph.core.decorators'],
    [
        'lymph.core.calls',
        'lymph.core.deferring',
        'lymph.core.dialer',
        'lymph.core.outcomes',
        'lymph.core.reaching',
        'lymph.core.rpc',
        'lymph.patterns',
    ],
    ['lymph.core.interfaces'],
    ['lymph.core.backdoor', 'lymph.core.hosting'],
    ['lymph.core.asking', 'lymph.core.plugins', 'lymph.core.settings'],
    ['lymph.core.container'],
    ['lymph.core.assembly', 'lymph.client'],
]

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


def floor_of(module: str) -> int:
    fitting = [
        (len(prefix), number)
        for number, floor in enumerate(FLOORS)
        for prefix in floor
        if module == prefix or module.startswith(prefix + '.')
    ]
    assert fitting, f'{module} has no floor: give it one here and in ARCHITECTURE.md'
    return max(fitting)[1]


CORE = {name: path for name, path in MODULES['lymph-core'].items() if name != 'lymph'}


@pytest.mark.parametrize('module', sorted(CORE))
def test_a_module_of_lymph_core_imports_from_its_floor_or_below(module):
    above = [name for name in imports(CORE[module]) if floor_of(name) > floor_of(module)]
    assert above == []


@pytest.mark.parametrize('distribution', sorted(MAY_IMPORT))
def test_a_distribution_imports_what_it_depends_on_and_never_through_the_face(distribution):
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
