"""All instances are asked at the same time; those that do not answer are named."""

from __future__ import annotations

from types import SimpleNamespace

import gevent
import pytest

from lymph.core.monitoring.traces import find_trace, latest_traces
from lymph.exceptions import LookupFailure, Refused, Timeout

ID = 'a' * 32
ENTRY = {'kind': 'rpc', 'id': 'a', 'name': 'stock.take', 'started': 1.0, 'duration': 1.0}


class Fleet:
    """Answers for a container: `services` are endpoints by names, `answers` by endpoints."""

    def __init__(self, services, answers):
        self.registry = self
        self.services = services
        self.answers = answers
        self.asked = []

    def discover(self, namespace):
        return set(self.services) if namespace == 'rpc' else set()

    def get(self, name, namespace):
        if not self.services[name]:
            raise LookupFailure(name)
        return [SimpleNamespace(endpoint=endpoint) for endpoint in self.services[name]]

    def request(self, address, subject, body=None, *, options):
        self.asked.append((address, subject, body))
        answer = self.answers[address]
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else answer


def told(identity, *entries, **more):
    return {'identity': identity, 'entries': list(entries), 'keep': 5, **more}


def test_instances_are_asked_once_and_named_by_their_services():
    services = {'stock': ['a'], 'shop': ['a', 'b'], 'gone': []}
    fleet = Fleet(services, {'a': told('1', ENTRY), 'b': told('2')})
    found = find_trace(fleet, ID)
    assert sorted(fleet.asked) == [
        ('a', 'lymph.trace', {'id': ID}),
        ('b', 'lymph.trace', {'id': ID}),
    ]
    assert [(each.service, each.identity, each.units) for each in found.sources] == [
        ('shop', '2', 0),
        ('shop, stock', '1', 1),
    ]


def test_instance_with_two_endpoints_counts_once():
    answer = told('1', ENTRY)
    found = find_trace(Fleet({'stock': ['a', 'b']}, {'a': answer, 'b': answer}), ID)
    assert (len(found.units), len(found.sources)) == (1, 1)


@pytest.mark.parametrize(
    ('answer', 'problem'),
    [
        (Timeout('a: no reply in time'), 'no reply in time'),
        (Refused('no', 'unknown_method'), 'it runs an older lymph, which keeps no traces'),
        (['no', 'map'], 'its answer is no map'),
    ],
)
def test_instance_without_an_answer_says_why(answer, problem):
    fleet = Fleet({'shop': ['a'], 'stock': ['b']}, {'a': answer, 'b': told('2', ENTRY)})
    found = find_trace(fleet, ID)
    assert [(each.service, each.problem) for each in found.sources] == [
        ('shop', problem),
        ('stock', ''),
    ]
    assert len(found.units) == 1


def test_all_instances_together_get_a_bounded_time():
    endpoints = [str(number) for number in range(1500)]
    slow = dict.fromkeys(endpoints, lambda: gevent.sleep(0.03) or {})
    found = find_trace(Fleet({'stock': endpoints}, slow), ID, timeout=0.03)
    problems = [each.problem for each in found.sources if each.problem]
    assert set(problems) == {'not asked: too many others did not answer'}
    assert 0 < len(problems) < 1500


def test_instances_that_did_not_answer_are_not_asked_again():
    part = {'trace_id': 'x', 'kind': 'http', 'name': 'GET /', 'started': 1.0, 'ended': 2.0}
    fleet = Fleet(
        {'shop': ['a'], 'stock': ['b']},
        {'a': Timeout('a: late'), 'b': {'identity': '2', 'traces': [part]}},
    )
    found = latest_traces(fleet, failed=True)
    assert [each.trace_id for each in found.traces] == ['x']
    assert [each.problem for each in found.sources] == ['late', '']
    assert [address for address, _, _ in fleet.asked] == ['a', 'b', 'b']
    assert fleet.asked[2][2] == {'limit': 20, 'ids': ['x']}
