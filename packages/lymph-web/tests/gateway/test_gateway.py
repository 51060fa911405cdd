"""Calls through a gateway, asked by the test client of werkzeug."""

from __future__ import annotations

import io
import json

import gevent
import pytest
from werkzeug.test import Client

import lymph
from lymph.config import ConfigurationError
from lymph.core.settings import ContainerSettings
from lymph.web.gateway import CallProblem, Gateway

WAIT = 10.0


def test_post_calls_a_method_and_answers_with_its_result(world):
    world.shop()
    answer = world.gateway('shop.total').post(
        'shop/total', {'lines': [{'article': 'sock', 'price': 2}], 'day': '2026-02-19'}
    )
    assert (answer.status_code, answer.mimetype, answer.json) == (200, 'application/json', 2.0)
    assert answer.headers['Cache-Control'] == 'no-store'


def test_empty_body_means_no_arguments(world):
    world.shop()
    asking = world.gateway('shop.*')
    assert asking.post('shop/echo', data=b'').json is None
    assert asking.post('shop/echo', data=b'', content_type='application/json').json is None


def test_request_for_another_host_calls_nothing(world):
    shop = world.shop()
    asking = world.gateway('shop.*', hosts=['api.example.org'], mcp={'methods': ['shop.order']})
    for path in ('shop/order', 'mcp', 'openapi.json', ''):
        answer = asking.post(path, {'article': 'sock'}, headers={'Host': 'evil.org'})
        assert (answer.status_code, answer.mimetype) == (421, 'application/problem+json')
        assert answer.json['may_have_run'] is False
    assert shop.calls == []
    answer = asking.post('shop/order', {'article': 'sock'}, headers={'Host': 'api.example.org'})
    assert answer.json == 1


def test_gateway_works_in_the_process_of_its_services(world, request):
    shop = type(world.shop())
    gateway = world.start(
        (shop, 'corner', '1.0.0'), (Gateway, 'api', None, {'allow': ['corner.*']})
    )[1]
    answer = Client(gateway.application).post('/api/corner/echo', json={'value': 3})
    assert answer.json == 3


@pytest.mark.parametrize(
    ('value', 'sent', 'back'),
    [
        ('bytes', {'$bytes': 'aGk='}, {'$bytes': 'aGk='}),
        ('date', {'$date': '2026-02-19'}, '2026-02-19'),
        ('datetime', {'$datetime': '2026-02-19T12:00:00+01:00'}, '2026-02-19T12:00:00+01:00'),
        ('UUID', {'$uuid': '12345678-1234-5678-1234-567812345678'}, None),
        ('Decimal', {'$decimal': '1.50'}, '1.50'),
        ('set', {'$set': [1]}, [1]),
        ('dict', {'$object': {'$date': 'x'}}, {'$date': 'x'}),
        ('int', 1.0, 1),
        ('int', 2**64 - 1, 2**64 - 1),
        ('float', 2**64, float(2**64)),
        ('float', 1e300, 1e300),
        ('str', '\u00fc\U0001f600\x00', '\u00fc\U0001f600\x00'),
        ('NoneType', None, None),
    ],
)
def test_values_that_json_lacks_are_marked_on_the_way_in(world, value, sent, back):
    world.shop()
    asking = world.gateway('shop.*')
    assert asking.post('shop/kind', {'value': sent}).json == value
    expected = sent['$uuid'] if value == 'UUID' else back
    assert asking.post('shop/echo', {'value': sent}).json == expected


@pytest.mark.parametrize(
    ('path', 'arguments', 'facts'),
    [
        ('shop/total', {}, (400, 'invalid_arguments', False)),
        ('shop/total', {'lines': [], 'unknown': 1}, (400, 'invalid_arguments', False)),
        ('shop/total', {'lines': [{'article': 1}]}, (400, 'invalid_arguments', False)),
        ('shop/order', {'article': 'shoe'}, (422, 'declared', True)),
        ('shop/silent', {}, (422, 'declared', True)),
        ('shop/fail', {}, (500, 'failed', True)),
        ('shop/nan', {}, (500, 'unreadable_result', True)),
        ('shop/refuse', {}, (403, 'forbidden', False)),
        ('shop/refuse', {'reason': 'overloaded'}, (503, 'overloaded', False)),
        ('shop/refuse', {'reason': 'draining'}, (503, 'draining', False)),
        ('shop/refuse', {'reason': 'expired'}, (504, 'expired', False)),
        ('shop/refuse', {'reason': 'malformed'}, (400, 'malformed', False)),
        ('shop/refuse', {'reason': 'unknown_method'}, (404, 'unknown_method', False)),
        ('shop/refuse', {'reason': 'anything'}, (503, 'refused', False)),
        ('shop/none', {}, (404, 'unknown_method', False)),
    ],
)
def test_problem_tells_the_reason_and_whether_the_method_may_have_run(
    world, path, arguments, facts
):
    world.shop()
    problem = world.gateway('shop.*').problem(path, arguments)
    assert problem.facts == facts
    assert ('Retry-After' in problem.headers) == (facts[0] == 503)
    assert problem.members['trace_id'] == problem.headers['X-Trace-Id']
    assert problem.members['instance'] == f'/api/{path}'


def test_problem_has_no_details_of_the_inside(world):
    world.shop()
    asking = world.gateway('shop.*')
    told = [
        json.dumps(asking.problem(path, arguments).members)
        for path, arguments in [
            ('shop/fail', {}),
            ('shop/refuse', {}),
            ('shop/silent', {}),
            ('shop/total', {}),
        ]
    ]
    assert not any('secret' in each or '://' in each or 'RuntimeError' in each for each in told)


def test_declared_error_is_told_with_its_type_and_its_text(world):
    world.shop()
    members = world.gateway('shop.*').problem('shop/order', {'article': 'shoe'}).members
    assert members['error_type'] == 'LookupError'
    assert members['detail'] == 'no shoe on tcp://127.0.0.1:1'


def test_invalid_argument_is_told_with_its_path(world):
    world.shop()
    asking = world.gateway('shop.*')
    lines = [{'article': 'sock', 'price': 1}, {'article': 'shoe', 'price': '2'}]
    members = asking.problem('shop/total', {'lines': lines}).members
    assert members['path'] == 'lines[1].price'
    assert members['detail'] == 'lines[1].price: expected a number, found text'
    assert 'path' not in asking.problem('shop/total').members


def test_service_that_is_down_is_unavailable_for_those_who_may_know_of_it(world):
    named, unnamed = world.gateway('shop.*', 'echo.upper'), world.gateway('*.*')
    assert named.problem('shop/total').facts == (503, 'not_connected', False)
    assert named.problem('echo/upper').facts == (503, 'not_connected', False)
    assert unnamed.problem('shop/total').facts == (404, 'unknown_method', False)


def test_what_is_not_allowed_looks_like_what_does_not_exist(world):
    world.shop()
    asking = world.gateway('shop.total', 'secrets.none')
    answers = [
        asking.problem(path).members for path in ('secrets/read', 'secrets/none', 'none/none')
    ]
    for members in answers:
        del members['instance'], members['trace_id']
    assert answers[0] == answers[1] == answers[2]


def test_methods_of_lymph_are_those_of_the_gateway_itself(world):
    asking = world.gateway('lymph.ping', '*.*')
    assert asking.post('lymph/ping', {'payload': 'x'}).json == 'x'
    assert asking.problem('lymph/status').facts == (404, 'unknown_method', False)
    assert [each.full_name for each in asking.gateway.catalogue.methods()] == ['lymph.ping']


def test_query_can_name_a_version(world):
    world.shop('1.2.0')
    asking = world.gateway('shop.*')
    assert asking.post('shop/echo?version=1.1', {'value': 1}).json == 1
    assert asking.problem('shop/echo?version=2').facts == (404, 'unknown_version', False)
    for query in ('version=x', 'version=1&version=1', 'value=1', 'Version=1', 'version='):
        assert asking.problem(f'shop/echo?{query}').facts == (400, 'malformed', False)


def test_trace_id_goes_with_the_call(world):
    world.shop()
    answer = world.gateway('shop.*').post('shop/trace', headers={'X-Trace-Id': 'abc'})
    assert answer.json == answer.headers['X-Trace-Id'] == 'abc'


DEEP = b'{"value": ' + b'[' * 40 + b']' * 40 + b'}'


@pytest.mark.parametrize(
    'body',
    [
        b'{',
        b'[]',
        b'null',
        b'"text"',
        b'1',
        b'{"value": NaN}',
        b'{"value": -Infinity}',
        b'{"value": 1e999}',
        b'{"value": ' + b'9' * 5000 + b'}',
        b'{"value": 1, "value": 2}',
        b'{"value": {"a": 1, "a": 1}}',
        b'{"value": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"value": "\xff"}',
        b'\xff\xfe{\x00}\x00',
        b'{"value": 01}',
        b'{"value": 1,}',
        b'{"value": 1} x',
        b"{'value': 1}",
        b'{"value": {"$date": "yesterday"}}',
        b'{"value": {"$bytes": "?"}}',
        DEEP,
        b'{"value": ' + b'[' * 100_000,
        b'{"value": [' + b'[],' * 1_000_001 + b'[]]}',
        b'\xef\xbb\xbf{}',
    ],
    ids=lambda body: body[:30].decode('latin-1'),
)
def test_hostile_json_is_refused(world, body):
    world.shop()
    problem = world.gateway('shop.*', max_body_size=2**23).problem(
        'shop/echo', data=body, content_type='application/json'
    )
    assert problem.facts == (400, 'malformed', False)
    assert len(problem.members['detail']) < 300


def test_large_body_is_read_while_the_loop_goes_on(world):
    world.shop()
    value = [{'n': n} for n in range(20_000)]
    assert world.gateway('shop.*').post('shop/echo', {'value': value}).json == value


@pytest.mark.parametrize(
    ('options', 'status'),
    [
        ({'content_type': 'text/plain'}, 415),
        ({'content_type': 'application/x-www-form-urlencoded'}, 415),
        ({'content_type': 'application/jsonp'}, 415),
        ({'content_type': 'application/json; charset=utf-16'}, 415),
        ({'content_type': 'application/json; charset=UTF-8'}, 200),
        ({'content_type': 'APPLICATION/JSON'}, 200),
        ({'content_type': None}, 415),
        ({'headers': {'Content-Encoding': 'gzip'}}, 415),
        ({'headers': {'Content-Encoding': 'identity'}}, 200),
        ({'headers': {'Accept': 'text/html'}}, 406),
        ({'headers': {'Accept': 'application/json;q=0'}}, 406),
        ({'headers': {'Accept': 'text/html, */*;q=0.1'}}, 200),
        ({'headers': {'Accept': 'application/*'}}, 200),
    ],
)
def test_bodies_and_answers_are_json(world, options, status):
    world.shop()
    content = {'content_type': 'application/json', **options}
    assert world.gateway('shop.*').post('shop/echo', data=b'{}', **content).status_code == status


def test_page_of_another_origin_cannot_call_a_method_without_a_preflight(world):
    world.shop()
    asking = world.gateway('shop.*')
    browser = {'Origin': 'https://evil.example'}
    for content_type in (None, 'text/plain', 'multipart/form-data; boundary=x'):
        problem = asking.problem('shop/order', data=b'', content_type=content_type, headers=browser)
        assert problem.facts == (415, 'unsupported_media_type', False)


def test_methods_are_called_by_post_only(world):
    world.shop()
    client = world.gateway('shop.*').client
    for method in ('GET', 'HEAD', 'PUT', 'DELETE', 'PATCH'):
        answer = client.open('/api/shop/echo', method=method)
        assert answer.status_code == 405
        assert {'POST', 'OPTIONS'} >= set(answer.headers['Allow'].split(', ')) >= {'POST'}


def test_body_over_the_limit_is_refused(world):
    world.shop()
    answer = world.gateway('shop.*', max_body_size=10).post('shop/echo', {'value': 'x' * 20})
    assert answer.status_code == 413
    assert world.gateway('shop.*').post('shop/echo', {'value': 'x' * 2**20}).status_code == 413
    larger = world.gateway('shop.*', max_body_size=2**21)
    assert larger.post('shop/echo', {'value': 'x' * 2**20}).status_code == 200


def test_failures_in_front_of_a_method_tell_that_it_did_not_run(world):
    world.shop()
    client = world.gateway('shop.*', max_body_size=10).client
    answers = [
        client.get('/api/shop/echo'),
        client.post('/api/shop/echo/x', json={}),
        client.post('/api/shop/echo', json={'value': 'x' * 20}),
    ]
    assert [answer.status_code for answer in answers] == [405, 404, 413]
    assert [answer.json['may_have_run'] for answer in answers] == [False] * 3


class Late(lymph.Plugin, lymph.Interceptor):
    kinds = frozenset({'http'})

    def intercept(self, work, proceed):
        proceed()
        raise lymph.Refused('too late')


def test_failure_after_a_call_tells_that_the_method_may_have_run(world):
    shop = world.shop()
    asking = world.gateway('shop.*')
    asking.gateway.container.install_plugin(Late)
    answer = asking.post('shop/order', {'article': 'sock'})
    assert answer.status_code >= 400
    assert (answer.json['may_have_run'], shop.calls) == (True, ['sock'])


def test_client_can_shorten_the_deadline_but_not_lengthen_it(world):
    world.shop()
    asking = world.gateway('shop.*', timeout=0.3)
    for seconds in ('0.2', '2e-1', '99'):
        problem = asking.problem('shop/hang', headers={'X-Request-Timeout': seconds})
        assert problem.facts == (504, 'timeout', True)
    for invalid in ('0', '-1', 'soon', '', 'nan', '1e9', '0.0001', '1 2'):
        problem = asking.problem('shop/hang', headers={'X-Request-Timeout': invalid})
        assert problem.facts == (400, 'malformed', False)


class SlowBody(io.BytesIO):
    def readinto(self, buffer):
        gevent.sleep(0.05)
        return super().readinto(buffer)


@pytest.mark.parametrize('path', ['shop/order', 'mcp'])
def test_time_for_which_the_body_was_awaited_counts(world, path):
    shop = world.shop()
    asking = world.gateway('shop.*', mcp={'methods': ['shop.order']})
    message = {'name': 'shop.order', 'arguments': {'article': 'sock'}}
    if path == 'mcp':
        message = {'jsonrpc': '2.0', 'id': 1, 'method': 'tools/call', 'params': message}
    else:
        message = message['arguments']
    body = json.dumps(message).encode()
    answer = asking.client.post(
        f'/api/{path}',
        input_stream=SlowBody(body),
        headers={'X-Request-Timeout': '0.02', 'Content-Length': str(len(body))},
        content_type='application/json',
    )
    assert '"reason":"expired","may_have_run":false' in answer.text
    assert shop.calls == []


def test_timeout_header_can_have_another_name(world):
    world.shop()
    asking = world.gateway('shop.*', timeout_header='X-Patience')
    problem = asking.problem('shop/hang', headers={'X-Patience': '0.2'})
    assert problem.facts == (504, 'timeout', True)


def test_calls_take_the_timeout_of_the_container_unless_the_gateway_has_one(world):
    world.shop()
    settings = ContainerSettings(rpc_timeout=0.02)
    for config, status in (({}, 504), ({'timeout': WAIT}, 200)):
        (gateway,) = world.start(
            (Gateway, 'api', None, {'allow': ['shop.*'], **config}), settings=settings
        )
        client = Client(gateway.application)
        if status == 200:
            gevent.spawn_later(0.1, world.containers[0].interfaces[0].go_on.set)
        assert client.post('/api/shop/hang').status_code == status


def test_code_in_the_process_can_call_through_the_gateway(world):
    world.shop()
    gateway = world.gateway('shop.total').gateway
    assert gateway.call('shop.total', {'lines': []}) == 0
    for name in ('secrets.read', 'shop.order', '', 'shop', 'shop.', '.total', 'shop.total.x'):
        with pytest.raises(CallProblem) as caught:
            gateway.call(name, {})
        assert caught.value.status == 404
    with pytest.raises(CallProblem, match='expected an object'):
        gateway.call('shop.total', [])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ('section', 'text'),
    [
        ({}, 'allow.*set'),
        ({'allow': []}, 'interfaces.api.allow: expected what callers may use'),
        ({'allow': 'shop.*'}, 'interfaces.api.allow: expected a list'),
        ({'allow': ['shop.*', '*']}, r"interfaces.api.allow.1: expected a method .* found '\*'"),
        ({'allow': ['lymph.*']}, 'expected the full names of methods of lymph'),
        ({'allow': ['shop.*'], 'alow': 1}, "interfaces.api.alow: .*did you mean 'allow'"),
        ({'allow': ['shop.*'], 'idempotency': {'key': 1}}, "did you mean 'keys'"),
        ({'allow': ['shop.*'], 'idempotency': {'seconds': 0}}, 'idempotency.seconds'),
        ({'allow': ['shop.*'], 'timeout': 0}, 'interfaces.api.timeout'),
    ],
)
def test_mistakes_in_the_section_are_errors_that_name_the_key(world, section, text):
    with pytest.raises(ConfigurationError, match=text):
        world.start((Gateway, 'api', None, section))
