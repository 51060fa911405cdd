from __future__ import annotations

import json
from typing import Any

import pytest

CONFIG = """
container:
    registry: {class: zookeeper, hosts: "zk://app:hunter2@zk/", password: hunter2}
    pool_size: $(var.size)
interfaces:
    echo@1.5.0: {class: "e:Echo", since: 2024-02-29, store: dep:store}
empty:
"""


@pytest.fixture
def configured(shell: Any) -> Any:
    shell.write('conf.yml', CONFIG)
    shell.write('vars.yml', 'size: 5\n')
    shell.environ['LYMPH_CONFIG'] = 'conf.yml'
    shell.environ['LYMPH_VARS'] = 'vars.yml'
    return shell


def test_the_configuration_in_effect_is_printed_with_secrets_masked(configured: Any) -> None:
    assert json.loads(configured.run('config', '--json').stdout) == {
        'container': {
            'registry': {
                'class': 'zookeeper',
                'hosts': 'zk://app:***@zk/',
                'password': '***',
            },
            'pool_size': 5,
        },
        'interfaces': {
            'echo@1.5.0': {'class': 'e:Echo', 'since': '2024-02-29', 'store': 'dep:store'}
        },
        'empty': None,
    }


def test_secrets_are_shown_on_request(configured: Any) -> None:
    shown = configured.run('config', 'container.registry.password', '--show-secrets')
    assert shown.stdout == 'hunter2\n'
    assert configured.run('config', 'container.registry.password').stdout == "'***'\n"


@pytest.mark.parametrize(
    ('key', 'printed'),
    [
        ('container.pool_size', '5\n'),
        ('container.registry.class', 'zookeeper\n'),
        ('empty', 'null\n'),
        ('interfaces', 'echo@1.5.0:\n  class: e:Echo\n  since: 2024-02-29\n  store: dep:store\n'),
    ],
)
def test_the_value_of_a_key_is_printed_as_yaml(configured: Any, key: str, printed: str) -> None:
    assert configured.run('config', key).stdout == printed


def test_missing_key_is_an_error_with_a_suggestion(configured: Any) -> None:
    done = configured.run('config', 'container.pool_sze')
    assert done.exit_code == 2
    assert "not set, but 'pool_size' is; check the spelling" in done.stderr


def test_output_is_colored_on_terminals_and_on_request(configured: Any) -> None:
    assert '\x1b' not in configured.run('config').stdout
    assert '\x1b' in configured.run('config', '--color').stdout
    configured.environ['NO_COLOR'] = '1'
    assert '\x1b' in configured.run('--color', 'config').stdout
