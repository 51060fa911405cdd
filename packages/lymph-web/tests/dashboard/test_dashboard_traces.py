"""Traces, as pages get them: the latest ones, and one as a tree."""

from __future__ import annotations

from typing import Any

import pytest

from lymph.exceptions import LookupFailure
from lymph.web._dashboard import traces

ID = 'b7ad6b7169203331a5f2a4c01d3ef2b1'


def call(world: Any, article: str = 'sock', trace_id: str = ID) -> Any:
    """Start a shop, call it in a trace, and return a client of a dashboard."""
    world.shop()
    asking = world.dashboard()
    asking.post('/api/shop/order', {'article': article}, X_Trace_Id=trace_id)
    return asking


def test_latest_traces_are_listed(world: Any) -> None:
    asking = call(world)
    found = asking.ask('/data/traces').json
    assert (found['asked'], found['silent']) == (2, 0)
    names = {each['name'] for each in found['traces']}
    assert any('shop' in name for name in names)


def test_trace_is_a_tree_of_what_all_instances_know(world: Any) -> None:
    asking = call(world)
    [latest] = [each for each in asking.ask('/data/traces').json['traces'] if each['units'] > 1]
    trace = asking.ask(f'/data/traces/{latest["trace_id"]}').json
    kinds = [(each['kind'], each['depth']) for each in trace['units']]
    assert kinds == [('http', 0), ('call', 1), ('rpc', 2)]
    assert trace['outcome'] == 'ok'
    assert all(each['duration'] > 0 for each in trace['units'])


def test_failed_and_slow_ones_can_be_chosen(world: Any) -> None:
    asking = call(world, 'glove')
    failed = asking.ask('/data/traces?failed=1').json['traces']
    assert [each['failures'] > 0 for each in failed] == [True]
    assert asking.ask('/data/traces?slow=60').json['traces'] == []


def test_trace_that_nobody_knows_is_told(asking: Any) -> None:
    trace = asking.ask('/data/traces/0123').json
    assert (trace['outcome'], trace['units']) == ('unknown', [])


@pytest.mark.parametrize(
    'path',
    [
        '/data/traces?failed=yes',
        '/data/traces?slow=-1',
        '/data/traces?slow=nan',
        '/data/traces?limit=1000',
        '/data/traces?other=1',
        '/data/traces/a%20b',
        '/data/traces/1?limit=5',
    ],
)
def test_what_cannot_be_used_is_refused(asking: Any, path: str) -> None:
    assert asking.ask(path).status == 400


def test_registry_that_is_away_is_told(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: Any, **_options: Any) -> Any:
        raise LookupFailure('the registry is away')

    monkeypatch.setattr(traces, 'latest_traces', fail)
    monkeypatch.setattr(traces, 'find_trace', fail)
    asking = world.dashboard()
    for path in ('/data/traces', '/data/traces/1'):
        answer = asking.ask(path, Accept='application/json')
        assert (answer.status, 'is away' in answer.json['detail']) == (503, True)
