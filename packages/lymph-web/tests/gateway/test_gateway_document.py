"""The OpenAPI document of a gateway, made of methods that `lymph.inspect` has described."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lymph.web._gateway.descriptions import AllowedMethod
from lymph.web._gateway.openapi import openapi_document
from lymph.web._gateway.schema_names import Components

TREE = {
    '$schema': 'https://json-schema.org/draft/2020-12/schema',
    '$ref': '#/$defs/Tree',
    '$defs': {
        'Tree': {
            'type': 'object',
            'properties': {
                'children': {'type': 'array', 'items': {'$ref': '#/$defs/Tree'}},
                '$ref': {'type': 'string', 'default': '#/$defs/Tree'},
            },
        }
    },
}


def document(*methods: AllowedMethod) -> dict[str, Any]:
    return openapi_document('api', '1.0.0', '/', methods, {'shop': 'Sells socks.'})


def test_same_methods_in_any_order_give_the_same_document() -> None:
    methods = [AllowedMethod('shop', name, result=TREE) for name in ('total', 'order')]
    assert json.dumps(document(*methods)) == json.dumps(document(*reversed(methods)))


def test_definitions_become_components_that_methods_share() -> None:
    schemas = document(
        AllowedMethod('shop', 'plant', parameters=TREE, result=TREE),
        AllowedMethod('park', 'plant', result=TREE),
    )['components']['schemas']
    reference = {'$ref': '#/components/schemas/shop.Tree'}
    assert schemas['shop.plant.arguments'] == schemas['shop.plant.result'] == reference
    assert schemas['park.plant.result'] == {'$ref': '#/components/schemas/park.Tree'}
    tree = schemas['shop.Tree']['properties']
    assert tree['children']['items'] == reference
    assert tree['$ref']['default'] == '#/$defs/Tree'  # not a reference, but a value


def test_different_definitions_of_one_name_stay_apart() -> None:
    def having(kind: str) -> dict[str, Any]:
        return {'$ref': '#/$defs/A', '$defs': {'A': {'type': kind}}}

    components = Components()
    components.add('shop', 'shop.a', having('string'))
    components.add('shop', 'shop.b', having('number'))
    components.add('shop', 'shop.A', {'type': 'boolean'})
    assert components.schemas == {
        'shop.a': {'$ref': '#/components/schemas/shop.A'},
        'shop.A': {'type': 'string'},
        'shop.b': {'$ref': '#/components/schemas/shop.A_2'},
        'shop.A_2': {'type': 'number'},
        'shop.A_3': {'type': 'boolean'},
    }


@pytest.mark.parametrize(
    'hostile',
    [
        {'$ref': 'https://elsewhere.example/schema'},
        {'$ref': '#/$defs/missing'},
        {'$ref': 5},
        {'$id': 'https://elsewhere.example/', '$dynamicRef': '#x'},
        {'$defs': 7},
    ],
)
def test_references_out_of_the_document_accept_everything(hostile: dict[str, Any]) -> None:
    schemas = document(AllowedMethod('shop', 'a', result=hostile))['components']['schemas']
    assert schemas['shop.a.result'] == {}


def test_names_of_components_are_ascii() -> None:
    paths = document(AllowedMethod('shop', 'größe', result=TREE))
    assert list(paths['paths']) == ['/api/shop/größe']
    assert 'shop.gr_f6__df_e.result' in paths['components']['schemas']


def test_tags_are_the_interfaces_and_operations_say_what_docstrings_say() -> None:
    found = document(AllowedMethod('shop', 'order', doc='Order an article.\n\nOnce.'))
    assert found['tags'] == [{'name': 'shop', 'description': 'Sells socks.'}]
    operation = found['paths']['/api/shop/order']['post']
    assert operation['summary'] == 'Order an article.'
    assert operation['description'] == 'Order an article.\n\nOnce.'


def test_document_is_served_and_fetched_again_only_when_it_has_changed(world):
    world.shop()
    asking = world.gateway('shop.*')
    answer = asking.client.get('/api/openapi.json')
    assert answer.json == asking.gateway.document()
    assert answer.headers['Cache-Control'] == 'no-cache'
    unchanged = {'If-None-Match': answer.headers['ETag']}
    assert asking.client.get('/api/openapi.json', headers=unchanged).status_code == 304
    world.containers[0].stop()
    changed = asking.client.get('/api/openapi.json', headers=unchanged)
    assert (changed.status_code, changed.json['paths']) == (200, {})


def test_paths_begin_below_the_path_of_a_proxy(world):
    asking = world.gateway('shop.*')
    answer = asking.client.get('/api/openapi.json', environ_overrides={'SCRIPT_NAME': '/shop'})
    assert answer.json['servers'] == [{'url': '/shop'}]
    assert asking.client.get('/api/openapi.json').json['servers'] == [{'url': '/'}]


def test_document_has_the_name_of_the_header_for_deadlines() -> None:
    found = openapi_document('api', '1.0.0', '/', (), {}, timeout_header='X-Patience')
    assert found['components']['parameters']['Timeout']['name'] == 'X-Patience'
    assert '`X-Patience`' in found['info']['description']
