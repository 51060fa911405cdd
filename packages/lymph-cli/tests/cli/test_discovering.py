"""`lymph discover`, and calls, with services that the configuration lists."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest


@pytest.fixture
def endpoint(shell: Any) -> str:
    """A running instance of `echo` that only its address identifies."""
    found = re.search(r'tcp://\S+', shell.start_echo().stderr)
    assert found is not None
    return found[0]


@pytest.fixture
def fixed(shell: Any, endpoint: str) -> Any:
    """A shell whose registry is a list of addresses."""
    shell.environ['LYMPH_STATE_DIR'] = str(shell.folder / 'empty')
    services = {
        'echo': [endpoint],
        'gone': ['tcp://127.0.0.1:1', {'endpoint': 'tcp://127.0.0.1:2', 'version': '1.5'}],
    }
    container = {'registry': {'class': 'static', 'services': services}}
    shell.write('.lymph.yml', json.dumps({'container': container}))
    return shell


def test_services_with_fixed_addresses_are_listed(fixed: Any, endpoint: str) -> None:
    titles, echo, gone = fixed.run('discover').stdout.splitlines()
    assert titles.split() == ['SERVICE', 'INSTANCES', 'HEALTHY', 'AGE']
    assert echo.split()[:3] == ['echo', '1', '1']
    assert gone.split() == ['gone', '2', '0', '-']
    found = json.loads(fixed.run('discover', 'echo', '--json').stdout)
    assert [each['endpoint'] for each in found['echo']] == [endpoint]


def test_a_service_is_called_at_its_fixed_address(fixed: Any) -> None:
    assert fixed.run('request', 'echo.upper', 'text=foo').stdout == "'FOO'\n"


def test_unreachable_instances_are_counted(fixed: Any) -> None:
    done = fixed.run('request', 'gone.a')
    assert (done.exit_code, done.stdout) == (1, '')
    assert '2 instances of gone known, none reachable: tcp://127.0.0.1:' in done.stderr


def test_only_instances_of_the_requested_version_are_counted(fixed: Any) -> None:
    done = fixed.run('request', 'gone.a@1.2')
    assert '1 instance of gone known, none reachable: tcp://127.0.0.1:2: ' in done.stderr
    done = fixed.run('request', 'gone.a@2')
    assert 'no instance of gone serves 2.0.0 (versions: 1.5, none)' in done.stderr
