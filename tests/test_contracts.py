"""Contracts and known names that lymph's distributions publish are those of their plugins."""

from __future__ import annotations

import json
from importlib.metadata import distribution
from pathlib import Path
from subprocess import run
from sys import executable

import pytest

from lymph.config.plugins import CONTRACTS, Contract, installed
from lymph.core.contracts import PACKAGES

PROJECTS = Path(__file__).parents[1] / 'packages'
DISTRIBUTIONS = [each.name for each in PROJECTS.iterdir() if (each / 'src').is_dir()]
GROUPS = [
    'lymph.cli',
    'lymph.discovery',
    'lymph.doctor',
    'lymph.events',
    'lymph.partitioners',
    'lymph.plugins',
    'lymph.shell',
    'lymph.transports',
]
#: Groups whose names stand in a configuration.
CONFIGURED = ['lymph.discovery', 'lymph.events', 'lymph.partitioners', 'lymph.transports']


def test_every_group_of_lymph_has_a_contract() -> None:
    groups = {
        entry.group
        for name in DISTRIBUTIONS
        for entry in distribution(name).entry_points
        if entry.group.startswith('lymph.') and entry.group not in (CONTRACTS, 'lymph.packages')
    }
    assert groups <= set(GROUPS)
    assert set(installed(CONTRACTS)) == set(GROUPS)


@pytest.mark.parametrize('group', CONFIGURED)
def test_an_owner_knows_the_plugins_of_the_other_distributions(group: str) -> None:
    owner = installed(CONTRACTS)[group]
    others = {
        name: plugin.distribution
        for name, plugin in installed(group).items()
        if plugin.distribution in DISTRIBUTIONS and plugin.distribution != owner.distribution
    }
    assert owner.load_object(Contract).known == others


def test_known_packages_are_those_of_the_distributions_beside_the_core() -> None:
    for package, name in PACKAGES.items():
        assert (PROJECTS / name / 'src' / package.replace('.', '/')).is_dir(), package
    assert set(PACKAGES.values()) == {*DISTRIBUTIONS} - {'lymph-config', 'lymph-core'}


def test_looking_a_contract_up_imports_none_of_the_classes_it_names() -> None:
    code = (
        'import sys, json\n'
        'from lymph.config.plugins import CONTRACTS, Contract, installed\n'
        'for plugin in installed(CONTRACTS).values(): plugin.load_object(Contract)\n'
        "print(json.dumps([name for name in sys.modules if name.startswith('lymph.')]))\n"
    )
    done = run([executable, '-c', code], capture_output=True, text=True, check=True, timeout=60)
    loaded = {name for name in json.loads(done.stdout) if not name.startswith('lymph.config')}
    contracts = {'lymph.cli.contracts', 'lymph.core.contracts'}
    assert loaded - contracts == {'lymph.cli', 'lymph.core'}
