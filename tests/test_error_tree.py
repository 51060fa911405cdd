"""The drawing in `lymph.exceptions` has every error that lymph raises on purpose."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys

import pytest

from lymph import exceptions

PACKAGES = pathlib.Path(__file__).parents[1] / 'packages'

# Exceptions that are no errors of lymph, each with its reason.
OTHERS = {
    'Cancelled': 'drawn below the tree: no `except Exception` in a handler may catch it',
    'Killed': 'ends a greenlet; no edge may catch it',
    'EvaluationInterrupted': 'ends what somebody types at a backdoor, as Ctrl-C does',
    'Interrupted': 'Ctrl-C or a signal, thrown into a command',
    'Stopped': 'a signal that ends a command which waits',
    'Unroutable': 'the ROUTER of the transport `zeromq` tells its links; a link is down then',
    'Unfit': 'the transport `zeromq` tells itself to close a link',
    'NotReadable': 'the embedded registry tells itself to leave a file out',
    'BadHead': 'the operations port tells itself to refuse a request',
    'Away': 'the registry in ZooKeeper tells itself to wait for its session',
    'FormerInstance': 'the registry in ZooKeeper tells itself to leave out an instance of 0.15',
    'MisdirectedRequest': 'an HTTP error like those of werkzeug, which has none for 421',
}
#: the bases of the errors at the top of the drawing
ROOTS = {'LymphError': 'Exception', 'Cancelled': 'BaseException'}
#: contracts raise what careless authors raise
CARELESS = 'lymph.testing.contracts.'

_SCRIPT = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
found, below = [], list(BaseException.__subclasses__())
while below:
    cls = below.pop()
    below += cls.__subclasses__()
    found.append([cls.__module__, cls.__name__, [base.__name__ for base in cls.__bases__],
                  [base.__name__ for base in cls.__mro__]])
json.dump(found, sys.stdout)
"""


def modules() -> dict[str, str]:
    """Return the distribution of each module, without ``lymph-``."""
    found = {}
    for path in PACKAGES.glob('*/src/**/*.py'):
        distribution, _, *parts = path.relative_to(PACKAGES).with_suffix('').parts
        if parts[-1] == '__init__':
            del parts[-1]
        if parts[-1] != '__main__':
            found['.'.join(parts)] = distribution.removeprefix('lymph-')
    return found


@pytest.fixture(scope='module')
def defined() -> set[tuple[str, str, tuple[str, ...], bool]]:
    """Return name, distribution, bases and kind of each exception class of all distributions."""
    homes = modules()
    done = subprocess.run(
        [sys.executable, '-c', _SCRIPT, *sorted(homes)], stdout=subprocess.PIPE, check=True
    )
    return {
        (name, homes[module], tuple(bases), 'LymphError' in mro)
        for module, name, bases, mro in json.loads(done.stdout)
        if module in homes and not name.startswith('_') and not module.startswith(CARELESS)
    }


def drawn() -> list[tuple[str, str, str]]:
    """Return name, distribution and parent of each class in the drawing."""
    rows, above = [], []
    for line in exceptions.__doc__.splitlines():
        match = re.fullmatch(r'    ((?:│   |    )*(?:[├└]── )?)(\w+) +([a-z-]+)  +\S.*', line)
        if match:
            above = above[: len(match[1]) // 4]
            rows.append((match[2], match[3], above[-1] if above else ROOTS[match[2]]))
            above.append(match[2])
    return rows


def test_every_error_is_drawn_with_its_parent_and_its_distribution(defined):
    ours = {
        (name, home): bases for name, home, bases, is_ours in defined if is_ours or name in ROOTS
    }
    pictured = {(name, home): parent for name, home, parent in drawn()}
    assert len(pictured) == len(drawn())
    assert sorted(pictured) == sorted(ours)
    for each, parent in pictured.items():
        assert parent in ours[each], each


def test_every_error_outside_the_tree_has_a_reason(defined):
    assert {name for name, _, _, is_ours in defined if not is_ours} == OTHERS.keys()
