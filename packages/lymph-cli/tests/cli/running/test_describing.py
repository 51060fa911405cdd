"""A service is described by one instance of each of its versions."""

from __future__ import annotations

from typing import Any

import pytest

from lymph.cli._arguments.instances import parse_wanted
from lymph.cli._running.describing import ask_service
from lymph.cli.outcomes import OperationFailed
from lymph.core.services import Service, ServiceInstance
from lymph.exceptions import NotConnected


class Fleet:
    """A client of instances, with the versions that each endpoint has."""

    def __init__(self, **endpoints: list[str | None]) -> None:
        self.container = self.registry = self
        self.asked: list[str] = []
        self._endpoints = endpoints

    def get(self, name: str, namespace: str) -> Service:
        service = Service(name)
        for endpoint, versions in self._endpoints.items():
            for version in versions:
                service.add(ServiceInstance(f'id-of-{endpoint}', endpoint, version))
        return service

    def discover(self, namespace: str) -> set[str]:
        return {'echo'}

    def request(self, endpoint: str, subject: str) -> Any:
        self.asked.append(endpoint)
        if endpoint.startswith('dead'):
            raise NotConnected(f'{endpoint}: connection refused', endpoint=endpoint)
        if endpoint.startswith('odd'):
            return {'methods': 5}
        return {
            'identity': f'id-of-{endpoint}',
            'interfaces': [],
            'methods': [
                {'name': 'echo.upper', 'version': version, 'help': endpoint}
                for version in self._endpoints[endpoint]
            ]
            + [{'name': 'lymph.ping'}],
            'events': [],
            'tasks': [],
        }


def ask(fleet: Any, wanted: str = 'echo') -> tuple[list[str], dict[Any, str]]:
    description, missing = ask_service(fleet, parse_wanted(wanted))
    methods = [f'{each["name"]}@{each["version"]}' for each in description.methods]
    return sorted(methods), {version: str(error) for version, error in missing.items()}


def test_one_instance_of_each_version_is_asked_and_the_descriptions_are_merged() -> None:
    fleet = Fleet(a=['1.0.0'], b=['1.0.0'], c=['2.0.0'], d=[None])
    methods = ['echo.upper@1.0.0', 'echo.upper@2.0.0', 'echo.upper@None', 'lymph.ping@None']
    assert ask(fleet) == (methods, {})
    assert sorted(fleet.asked) == ['a', 'c', 'd']


def test_merged_description_lists_the_identities_of_all_instances() -> None:
    fleet: Any = Fleet(a=['1.0.0'], c=['2.0.0'])
    both = ask_service(fleet, parse_wanted('echo')).description
    assert (both.identity, both.identities) == (None, ['id-of-c', 'id-of-a'])
    one = ask_service(fleet, parse_wanted('echo@1')).description
    assert (one.identity, one.identities) == ('id-of-a', ['id-of-a'])


def test_process_that_serves_several_versions_is_asked_once() -> None:
    fleet = Fleet(a=['1.0.0', '2.0.0'])
    assert ask(fleet)[0] == ['echo.upper@1.0.0', 'echo.upper@2.0.0', 'lymph.ping@None']
    assert fleet.asked == ['a']


def test_another_instance_is_asked_if_one_does_not_answer() -> None:
    fleet = Fleet(dead_1=['1.0.0'], odd_1=['1.0.0'], well=['1.0.0'], z=['2.0.0'])
    assert ask(fleet) == (['echo.upper@1.0.0', 'echo.upper@2.0.0', 'lymph.ping@None'], {})
    assert sorted(fleet.asked) == ['dead_1', 'odd_1', 'well', 'z']


def test_version_without_an_answer_is_named() -> None:
    fleet = Fleet(a=['1.0.0'], dead_2=['2.0.0'])
    methods, missing = ask(fleet)
    assert methods == ['echo.upper@1.0.0', 'lymph.ping@None']
    assert missing == {'2.0.0': 'dead_2: connection refused'}


def test_error_of_a_service_without_an_answer_names_its_newest_version() -> None:
    with pytest.raises(NotConnected, match='dead_2: connection refused'):
        ask(Fleet(dead_1=['1.0.0'], dead_2=['2.0.0']))
    with pytest.raises(OperationFailed, match='expected a mapping with a list of methods'):
        ask(Fleet(odd=['1.0.0']))


def test_version_and_identity_select_the_instances_to_ask() -> None:
    fleet = Fleet(a=['1.0.0'], b=['1.5.0'], c=['2.0.0'])
    ask(fleet, 'echo@1')
    assert sorted(fleet.asked) == ['a', 'b']
    fleet.asked.clear()
    ask(fleet, 'echo:id-of-c')
    assert fleet.asked == ['c']
