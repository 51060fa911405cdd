"""Methods of all services, called through a dashboard."""

from __future__ import annotations

from typing import Any


def test_methods_of_all_services_are_described_and_called(world: Any) -> None:
    world.shop()
    asking = world.dashboard()
    document = asking.ask('/api/openapi.json').json
    assert '/api/shop/order' in document['paths']
    assert not any('/lymph/' in path for path in document['paths'])
    answer = asking.post('/api/shop/order', {'article': 'sock'})
    assert (answer.status, answer.json) == (200, 'SOCK')


def test_errors_are_told_with_their_reason(world: Any) -> None:
    world.shop()
    asking = world.dashboard()
    declared = asking.post('/api/shop/order', {'article': 'glove'})
    assert (declared.status, declared.json['error_type']) == (422, 'LookupError')
    wrong = asking.post('/api/shop/order', {'article': 5})
    assert (wrong.status, wrong.json['path']) == (400, 'article')
    assert asking.post('/api/shop/nothing', {}).status == 404
    assert asking.post('/api/lymph/ping', {}).status == 404
