from __future__ import annotations

from collections.abc import Callable

import pytest

from lymph.config import Configuration, ConfigurationError
from lymph.config.sections import SECTIONS, check_sections

Load = Callable[..., Configuration]


@pytest.mark.parametrize(
    ('name', 'advice'),
    [
        ('contaner', "did you mean 'container'?"),
        ('containers', "did you mean 'container'?"),
        ('Container', "did you mean 'container'?"),
        ('component', "did you mean 'components'?"),
        ('interface', "did you mean 'interfaces'?"),
        ('instance', "did you mean 'instances'?"),
        ('socket', "did you mean 'sockets'?"),
        ('plugin', "did you mean 'plugins'?"),
        ('dependency', "did you mean 'dependencies'?"),
        ('loging', "did you mean 'logging'?"),
        ('events', 'write it as container.events'),
        ('event_system', 'write it as container.events'),
        ('registry', 'write it as container.registry'),
        ('rpc', 'write it as container.rpc'),
        ('port', 'write it as container.port'),
        ('backdoor_ip', 'write it as debug.backdoor_ip'),
    ],
)
def test_sections_that_would_be_ignored_are_rejected_with_their_line(
    load: Load, name: str, advice: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_sections(load(f'interfaces: {{}}\n{name}: {{a: 1}}\n'))
    assert str(caught.value).startswith(f'conf.yml:2: {name}: ')
    assert advice in str(caught.value)


@pytest.mark.parametrize('name', [*SECTIONS, 'services', 'database', 'logic', 'shop', 'x' * 100])
def test_sections_of_lymph_and_of_users_are_left_alone(load: Load, name: str) -> None:
    check_sections(load(f'{name}: {{a: 1}}\n'))
