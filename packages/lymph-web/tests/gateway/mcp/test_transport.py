"""MCP over HTTP with raw messages: what is answered, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from lymph.web._gateway.descriptions import AllowedMethod
from lymph.web._gateway.mcp.methods import McpMethods
from lymph.web._gateway.mcp.origins import Origins
from lymph.web._gateway.mcp.tools import Tools
from lymph.web._gateway.mcp.transport import McpEndpoint

JSON = {'Content-Type': 'application/json'}
VERSION = 'io.modelcontextprotocol/protocolVersion'
CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities'
LATEST = '2026-07-28'
AGREED = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25']


def message(method: str, params: Any = None, **members: Any) -> dict[str, Any]:
    return {'jsonrpc': '2.0', 'id': 1, 'method': method, 'params': params or {}, **members}


def latest(method: str, params: Any = None, version: str = LATEST) -> dict[str, Any]:
    meta = {VERSION: version, CAPABILITIES: {}}
    return message(method, {**(params or {}), '_meta': meta})


@pytest.mark.parametrize('version', AGREED)
def test_initialize_agrees_on_the_version_of_the_client(serve, version):
    answer = serve().ask('initialize', {'protocolVersion': version, 'capabilities': {}})
    assert answer['result']['protocolVersion'] == version
    assert answer['result']['capabilities'] == {'tools': {}}
    assert answer['result']['serverInfo']['name'] == 'lymph-gateway'


@pytest.mark.parametrize('version', ['2023-01-01', '2026-07-28', '2099-01-01', ''])
def test_initialize_offers_the_latest_version_that_it_can_agree_on(serve, version):
    answer = serve().ask('initialize', {'protocolVersion': version}, MCP_Protocol_Version='x')
    assert answer['result']['protocolVersion'] == '2025-11-25'


@pytest.mark.parametrize('version', [None, *AGREED])
def test_every_version_lists_and_calls_tools(serve, version):
    world = serve()
    headers = {} if version is None else {'MCP_Protocol_Version': version}
    assert world.ask('ping', id='a', **headers) == {'jsonrpc': '2.0', 'id': 'a', 'result': {}}
    assert len(world.ask('tools/list', **headers)['result']['tools']) == 4
    answer = world.ask('tools/call', {'name': 'shop.names'}, **headers)
    assert answer['result']['content'] == [{'type': 'text', 'text': 'sock, shoe'}]
    assert 'resultType' not in answer['result']


@pytest.mark.parametrize('name', ['shop.find', '=?base64?c2hvcC5maW5k?='])
def test_self_contained_request_needs_no_initialize(serve, name):
    params = {'name': 'shop.find', 'arguments': {'article': 'sock'}}
    answer = serve().send(
        latest('tools/call', params),
        MCP_Protocol_Version=LATEST,
        Mcp_Method='tools/call',
        Mcp_Name=name,
    )
    assert answer.status_code == 200
    result = answer.json['result']
    assert result['structuredContent'] == {'article': 'sock', 'price': 2.5}
    assert result['resultType'] == 'complete'


def test_discover_tells_the_versions_and_how_long_that_is_fresh(serve):
    answer = serve().send(
        latest('server/discover'), MCP_Protocol_Version=LATEST, Mcp_Method='server/discover'
    )
    assert answer.json['result']['supportedVersions'] == [LATEST, *reversed(AGREED)]
    assert answer.json['result']['ttlMs'] > 0
    assert answer.json['result']['cacheScope'] == 'private'


@pytest.mark.parametrize(
    ('headers', 'body', 'code'),
    [
        ({}, latest('ping'), -32020),
        ({'MCP_Protocol_Version': '2025-11-25'}, latest('ping'), -32020),
        ({'MCP_Protocol_Version': LATEST}, latest('tools/list'), -32020),
        ({'MCP_Protocol_Version': LATEST, 'Mcp_Method': 'ping'}, latest('tools/list'), -32020),
        (
            {'MCP_Protocol_Version': LATEST, 'Mcp_Method': 'tools/call'},
            latest('tools/call', {'name': 'shop.names'}),
            -32020,
        ),
        (
            {'MCP_Protocol_Version': LATEST, 'Mcp_Method': 'tools/call', 'Mcp_Name': 'shop.find'},
            latest('tools/call', {'name': 'shop.names'}),
            -32020,
        ),
        (
            {
                'MCP_Protocol_Version': LATEST,
                'Mcp_Method': 'tools/call',
                'Mcp_Name': '=?base64?%?=',
            },
            latest('tools/call', {'name': '=?base64?%?='}),
            -32020,
        ),
        (
            {'MCP_Protocol_Version': LATEST, 'Mcp_Method': 'tools/list'},
            message('tools/list'),
            -32602,
        ),
        (
            {'MCP_Protocol_Version': '2027-01-01', 'Mcp_Method': 'tools/list'},
            latest('tools/list', version='2027-01-01'),
            -32022,
        ),
        ({'MCP_Protocol_Version': '2027-01-01'}, message('tools/list'), -32022),
        ({'MCP_Protocol_Version': 'x' * 5000}, message('tools/list'), -32022),
        ({'MCP_Protocol_Version': LATEST, 'Mcp_Method': 'x'}, latest('x'), -32601),
        ({'MCP_Protocol_Version': LATEST, 'Mcp_Method': 'ping'}, latest('ping'), -32601),
        (
            {'MCP_Protocol_Version': LATEST, 'Mcp_Method': 'initialize'},
            latest('initialize', {'protocolVersion': '2025-11-25'}),
            -32601,
        ),
    ],
)
def test_request_whose_headers_or_version_do_not_fit_is_refused(serve, headers, body, code):
    answer = serve().send(body, **headers)
    assert answer.status_code == (404 if code == -32601 else 400)
    assert (answer.json['id'], answer.json['error']['code']) == (1, code)
    assert len(answer.data) < 8000


@pytest.mark.parametrize(
    ('body', 'code'),
    [
        (b'', -32700),
        (b'{', -32700),
        (b'\xff', -32700),
        (b'[' * 100_000, -32700),
        (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', -32700),
        (b'{"jsonrpc":"2.0","id":NaN,"method":"ping"}', -32700),
        (b'1', -32600),
        (b'null', -32600),
        (b'"ping"', -32600),
        (b'{}', -32600),
        (b'[]', -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600),
        (b'{"id":1,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":[1],"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":5}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', -32600),
        (b'{"jsonrpc":"2.0","id":1}', -32600),
        (b'{"jsonrpc":"2.0","result":{}}', -32600),
    ],
)
def test_body_that_is_no_message_is_refused(serve, body, code):
    answer = serve().send(body)
    assert answer.status_code == 400
    assert answer.json['error']['code'] == code
    assert answer.json['error']['message']


@pytest.fixture(scope='module')
def endpoint():
    """MCP with one tool, which no message of `test_no_message_breaks_the_endpoint` calls."""
    method = AllowedMethod('shop', 'order', idempotent=True)
    return McpEndpoint(McpMethods(Tools(lambda: [method], None)), never, Origins())


def never(environ, name, arguments, timeout):
    raise AssertionError


SCALARS = st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(['2.0', LATEST])
VALUES = st.recursive(
    SCALARS,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(['jsonrpc', 'id', 'method', 'params', 'result', 'error', 'x'])
METHODS = st.sampled_from(['initialize', 'ping', 'tools/list', 'tools/call', 'server/discover'])
PARAMS = st.dictionaries(
    st.sampled_from(['name', 'arguments', 'cursor', 'protocolVersion', '_meta', VERSION]), VALUES
)
MESSAGES = st.fixed_dictionaries(
    {'jsonrpc': st.just('2.0'), 'method': METHODS}, optional={'id': VALUES, 'params': PARAMS}
)
BODIES = st.dictionaries(NAMES, VALUES) | MESSAGES | st.lists(MESSAGES | VALUES) | VALUES


@given(BODIES.map(json.dumps).map(str.encode) | st.binary(), st.sampled_from([None, LATEST, '0']))
def test_no_message_breaks_the_endpoint(endpoint, body, version):
    headers = {**JSON, **({} if version is None else {'MCP-Protocol-Version': version})}
    request = Request(EnvironBuilder('/', method='POST', data=body, headers=headers).get_environ())
    answer = endpoint.answer(request)
    assert answer.status_code in (200, 202, 400, 404)
    for each in [json.loads(answer.data)] if answer.data else []:
        for found in each if isinstance(each, list) else [each]:
            assert ('result' in found) != ('error' in found)


@pytest.mark.parametrize(
    ('method', 'params', 'code'),
    [
        ('tools/forget', {}, -32601),
        ('resources/list', {}, -32601),
        ('server/discover', {}, -32601),
        ('rpc.x', {}, -32601),
        ('tools/list', {'cursor': 5}, -32602),
        ('tools/list', {'cursor': 'nobody has made it'}, -32602),
        ('tools/call', {}, -32602),
        ('tools/call', {'name': 5}, -32602),
        ('tools/call', {'name': 'shop.names', 'arguments': []}, -32602),
        ('tools/call', {'name': 'shop.order', 'arguments': {'article': 'x'}}, -32602),
        ('tools/call', {'name': 'secrets.read'}, -32602),
        ('tools/call', {'name': 'lymph.status'}, -32602),
        ('tools/call', {'name': 'shop.names\n'}, -32602),
        ('tools/call', {'name': 'x' * 10_000}, -32602),
        ('tools/call', {'name': '\ud800'}, -32602),
        ('initialize', {}, -32602),
    ],
)
def test_request_that_cannot_be_answered_gets_an_error_with_its_id(serve, method, params, code):
    world = serve()
    answer = world.send(message(method, params, id='\ud800'))
    assert answer.status_code == 200
    assert answer.json['id'] == '\ud800'
    assert answer.json['error']['code'] == code
    assert len(answer.json['error']['message']) < 1000
    assert world.ran == 0


@pytest.mark.parametrize('version', [None, '2025-11-25', LATEST])
def test_notifications_are_accepted_and_change_nothing(serve, version):
    headers = {} if version is None else {'MCP_Protocol_Version': version}
    for method in ('notifications/initialized', 'notifications/cancelled', 'tools/call'):
        params = {'name': 'shop.order', 'arguments': {'article': 'sock'}, 'requestId': 1}
        body = {'jsonrpc': '2.0', 'method': method, 'params': params}
        world = serve()
        answer = world.send(body, **headers)
        assert (answer.status_code, answer.data) == (202, b'')
        assert world.ran == 0


def test_notification_of_an_unknown_version_is_refused(serve):
    body = {'jsonrpc': '2.0', 'method': 'notifications/initialized'}
    answer = serve().send(body, MCP_Protocol_Version='2027-01-01')
    assert answer.json['error']['code'] == -32022


def test_several_messages_in_a_body_are_answered_in_the_versions_that_have_them(serve):
    world = serve()
    several = [
        message('ping', id=1),
        {'jsonrpc': '2.0', 'method': 'notifications/initialized'},
        message('tools/call', {'name': 'secrets.read'}, id=2),
        5,
        message('initialize', {'protocolVersion': '2025-03-26'}, id=3),
    ]
    answers = world.send(several, MCP_Protocol_Version='2025-03-26').json
    assert [(each['id'], each.get('error', {}).get('code')) for each in answers] == [
        (1, None),
        (2, -32602),
        (None, -32600),
        (3, -32600),
    ]
    assert world.send(several[1:2]).status_code == 202
    for refused in ([], several * 5):
        assert world.send(refused).json['error']['code'] == -32600
    for version in ('2025-06-18', '2025-11-25', LATEST):
        answer = world.send(several, MCP_Protocol_Version=version)
        assert answer.status_code == 400
        assert answer.json['error']['code'] in (-32600, -32022)


@pytest.mark.parametrize(
    ('method', 'headers', 'status'),
    [
        ('GET', {}, 405),
        ('DELETE', {}, 405),
        ('PUT', {}, 405),
        ('POST', {'Accept': 'text/event-stream'}, 406),
        ('POST', {'Accept': 'application/json;q=0'}, 406),
        ('POST', {'Content_Type': 'text/plain'}, 415),
        ('POST', {'Content_Type': ''}, 415),
        ('POST', {'Origin': 'https://evil.example'}, 403),
        ('POST', {'Origin': 'http://evil.example', 'Host': 'evil.example'}, 403),
        ('GET', {'Origin': 'null'}, 403),
        ('POST', {'Accept': '*/*'}, 200),
        ('POST', {'Accept': 'application/json'}, 200),
        ('POST', {'Content_Type': 'application/json; charset=utf-8'}, 200),
        ('POST', {'Mcp_Session_Id': 'from another server'}, 200),
        ('POST', {'Origin': 'http://localhost:8080', 'Host': 'localhost:8080'}, 200),
        ('POST', {'Origin': 'https://chat.example', 'Host': 'api.example'}, 200),
    ],
)
def test_request_is_answered_only_as_the_transport_allows(serve, method, headers, status):
    world = serve(mcp={'origins': ['https://chat.example']})
    answer = world.send(message('ping'), method, **headers)
    assert answer.status_code == status
    if status != 200:
        assert json.loads(answer.data)['error']['message']
    if status == 405:
        assert answer.headers['Allow'] == 'POST'


def test_client_says_how_long_it_waits(serve):
    world = serve()
    world.ask('tools/list')  # the time does not go by in asking the shop for its methods
    params = {'name': 'shop.hang'}
    (found,) = world.ask('tools/call', params, X_Request_Timeout='0.2')['result']['content']
    assert 'no answer in time' in found['text']
    other = serve(timeout_header='X-Patience')
    other.ask('tools/list')
    (found,) = other.ask('tools/call', params, X_Patience='0.2')['result']['content']
    assert 'no answer in time' in found['text']
    answer = world.send(message('tools/call', params), X_Request_Timeout='soon')
    assert answer.status_code == 400
    assert 'X-Request-Timeout' in answer.json['error']['message']


def test_arguments_that_no_call_can_carry_are_a_result(serve):
    arguments = {'article': {'$date': 'yesterday'}}
    result = serve().ask('tools/call', {'name': 'shop.find', 'arguments': arguments})['result']
    assert result['_meta']['lymph/problem'] == {'reason': 'malformed', 'may_have_run': False}
    assert 'yesterday' in result['content'][0]['text']


def test_long_message_is_read_like_a_short_one(serve):
    world = serve()
    arguments = {'lines': [{'article': 'sock', 'price': 2.5}] * 2000}
    result = world.ask('tools/call', {'name': 'shop.total', 'arguments': arguments})['result']
    assert result['structuredContent'] == {'result': 5000.0}
    answer = world.send(b' ' * 40_000 + b'{')
    assert (answer.status_code, answer.json['error']['code']) == (400, -32700)


@pytest.mark.parametrize('mcp', [None, {}, {'enabled': False}])
def test_mcp_is_off_unless_it_is_configured(serve, mcp):
    assert serve(mcp=mcp).send(message('ping')).status_code == 404
