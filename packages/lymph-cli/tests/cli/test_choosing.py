"""`--interface` and `--guess-external-ip`."""

from __future__ import annotations

import socket

import pytest
from click import UsageError

from lymph.cli._running import choosing
from lymph.cli._running.choosing import chosen_interfaces, external_ip
from lymph.cli.outcomes import OperationFailed
from lymph.config import Configuration

CONFIG = Configuration({'interfaces': {'echo@1.2': {}, 'echo@2': {}, 'site': {}, 'mail': {}}})


@pytest.mark.parametrize(
    ('names', 'chosen'),
    [
        ([], None),
        (['site'], {'site'}),
        (['echo'], {'echo@1.2', 'echo@2'}),
        (['echo@2', 'mail', 'mail'], {'echo@2', 'mail'}),
    ],
)
def test_interfaces_are_selected_by_name(names: list[str], chosen: set[str] | None) -> None:
    assert chosen_interfaces(CONFIG, names) == chosen


@pytest.mark.parametrize(
    ('name', 'advice'),
    [
        ('ecko', "did you mean 'echo'?"),
        ('maill', "did you mean 'mail'?"),
        ('echo@1.3', "did you mean 'echo@1.2'?"),
        ('zzz', 'there are echo@1.2, echo@2, site, mail'),
        ('', 'there are'),
    ],
)
def test_unknown_interface_is_rejected_with_a_suggestion(name: str, advice: str) -> None:
    with pytest.raises(UsageError) as refused:
        chosen_interfaces(CONFIG, ['site', name])
    assert f'--interface: no {name!r} in' in str(refused.value)
    assert advice in str(refused.value)


def test_the_external_address_is_that_of_the_default_route(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    routes: dict[int, str] = {}
    monkeypatch.setattr(choosing, 'route_out', routes.get)
    with pytest.raises(OperationFailed, match=r'no default route .* with --ip'):
        external_ip(None)
    routes[socket.AF_INET6] = '2001:db8::7'
    assert external_ip(None) == '2001:db8::7'
    routes[socket.AF_INET] = '10.1.2.3'
    assert external_ip(None) == '10.1.2.3'
    with pytest.raises(UsageError, match='exclude each other'):
        external_ip('10.1.2.3')
