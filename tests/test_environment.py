"""The development environment is the one in constraints.txt."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent

#: Up to Python 3.11 a virtual environment brings it along; nothing here uses it.
UNUSED = {'setuptools'}


def test_everything_that_is_installed_is_pinned_to_its_version() -> None:
    lines = (ROOT / 'constraints.txt').read_text().splitlines()
    pinned = {
        canonicalize_name(each.name): str(each.specifier)
        for each in map(Requirement, (line for line in lines if line and not line.startswith('#')))
        if each.marker is None or each.marker.evaluate()
    }
    installed = {
        canonicalize_name(each.name): f'=={each.version}'
        for each in importlib.metadata.distributions()
        if not each.name.startswith('lymph-') and each.name not in UNUSED
    }
    assert installed == {name: pinned.get(name) for name in installed}
