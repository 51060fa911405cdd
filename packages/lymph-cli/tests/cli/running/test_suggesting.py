"""Similar names are looked up after a failure, without delaying the error for long."""

from __future__ import annotations

from typing import Any

import gevent
import pytest

from lymph.cli._arguments.subjects import parse_subject
from lymph.cli._running import suggesting
from lymph.exceptions import LookupFailure, NotConnected, Refused, RpcError, Timeout

REPLY = {'methods': [{'name': 'echo.upper', 'params': ['text']}]}


class Asked:
    """A client whose registry and services answer, fail or stay silent."""

    def __init__(self, answer: Any) -> None:
        self.container = self
        self._answer = answer
        self.questions: list[str] = []

    def discover(self, namespace: str) -> Any:
        return self._tell(f'discover {namespace}')

    def request(self, address: str, subject: str, timeout: float) -> Any:
        return self._tell(f'{subject} at {address}')

    def _tell(self, question: str) -> Any:
        self.questions.append(question)
        if self._answer is None:
            gevent.sleep(60)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def ask(client: Any, error: RpcError, subject: str = 'ehco.upper') -> str | None:
    wanted = parse_subject(subject)
    return suggesting.suggestion(client, 'ehco', wanted, ['txet'], error)


def test_registry_is_asked_about_an_unknown_service() -> None:
    registry = Asked({'echo', 'mail'})
    assert ask(registry, LookupFailure('nobody', 'ehco')) == 'echo.upper'
    assert ask(registry, LookupFailure('nobody', 'ehco'), 'mail.send') == 'echo'
    assert registry.questions == ['discover rpc'] * 2
    assert ask(registry, LookupFailure('nobody', 'nothing like these')) is None
    assert ask(registry, LookupFailure('nobody', 'echo')) is None


def test_other_commands_search_web_services_too() -> None:
    registry = Asked({'echo'})
    assert suggesting.meant_service(registry, LookupFailure('nobody', 'ehco')) == 'echo'
    assert registry.questions == ['discover rpc', 'discover http']


def test_service_is_asked_about_its_methods_and_their_parameters() -> None:
    service = Asked(REPLY)
    assert ask(service, Refused('no', 'unknown_method'), 'echo.uper') == 'echo.upper'
    assert ask(service, Refused('no', 'unknown_interface')) == 'echo.upper'
    given = Refused('no', 'invalid_arguments')
    assert ask(service, given, 'echo.upper') == "'text' for 'txet'"
    assert service.questions == ['lymph.inspect at ehco'] * 3


def test_other_failures_cause_no_lookup() -> None:
    client = Asked(REPLY)
    for error in (
        Timeout('late'),
        NotConnected('refused'),
        Refused('busy', 'overloaded'),
        LookupFailure('the registry is away'),
        Refused("unexpected argument 'txet'; did you mean 'text'?", 'invalid_arguments'),
    ):
        assert ask(client, error) is None
    assert client.questions == []


@pytest.mark.parametrize('error', [LookupFailure('no', 'ehco'), Refused('no', 'unknown_method')])
def test_failed_lookup_adds_nothing_to_the_error(
    error: RpcError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suggesting, '_PATIENCE', 0.01)
    assert ask(Asked(Timeout('late')), error) is None
    assert ask(Asked(None), error) is None
