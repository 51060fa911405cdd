"""The trace of a request: W3C Trace Context, and the header fields of the section `tracing`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

import lymph
from lymph.core import trace
from lymph.core.assembly import build_container
from lymph.testing.contracts.sections import TEXTS, check_refused, check_taken_or_refused
from lymph.web._tracing.context import TraceParent, parse_traceparent, parse_tracestate
from lymph.web.interfaces import WebServiceInterface
from lymph.web.tracing import trace_headers

TRACE, SPAN = '4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'
PARENT = f'00-{TRACE}-{SPAN}-01'


class Backend(lymph.Interface):
    @lymph.rpc()
    def trace(self):
        return trace.get_id()


class Traced(WebServiceInterface):
    url_map = Map(
        [Rule(f'/{name}', endpoint=name) for name in ('called', 'onwards', 'fail', 'own')]
    )

    def called(self, request):
        return Response(self.request('backend', 'backend.trace'))

    def onwards(self, request):
        first = trace_headers(request)
        assert trace_headers(request) == first
        return Response('', headers={f'Sent-{name}': value for name, value in first.items()})

    def fail(self, request):
        raise ValueError

    def own(self, request):
        return Response('', headers={'traceparent': 'mine', 'X-Trace-Id': 'mine'})


@pytest.fixture
def ask(start_interface):
    client = start_interface(Traced, None, Backend).client
    return lambda path, **fields: client.get(
        path, headers={name.replace('_', '-'): value for name, value in fields.items()}
    )


@pytest.mark.parametrize(
    ('text', 'flags'),
    [
        (PARENT, 1),
        (f' \t{PARENT} ', 1),
        (f'00-{TRACE}-{SPAN}-00', 0),
        (f'00-{TRACE}-{SPAN}-ff', 3),  # unknown flags are not passed on
        (f'01-{TRACE}-{SPAN}-02', 2),
        (f'cc-{TRACE}-{SPAN}-01-what-the-future-will-be', 1),
        (f'cc-{TRACE}-{SPAN}-01-', 1),
    ],
)
def test_traceparent_of_this_and_later_versions_is_read(text, flags):
    found = parse_traceparent(text)
    assert found == TraceParent(TRACE, SPAN, flags)
    assert found.sampled == bool(flags & 1)


@pytest.mark.parametrize(
    'text',
    [
        '',
        'x',
        PARENT[:-1],
        PARENT + '0',
        PARENT + '-00',
        PARENT + '-',
        PARENT.upper(),
        f'ff-{TRACE}-{SPAN}-01',
        f'0-{TRACE}-{SPAN}-01',
        f'0g-{TRACE}-{SPAN}-01',
        f'00-{TRACE[1:]}-{SPAN}-01',
        f'00-{TRACE}0-{SPAN}-01',
        f'00-{"0" * 32}-{SPAN}-01',
        f'00-{TRACE}-{"0" * 16}-01',
        f'00-{TRACE}-{SPAN[1:]}-01',
        f'00-{TRACE}-{SPAN}-1',
        f'00-{TRACE}-{SPAN}-0x',
        f'00_{TRACE}_{SPAN}_01',
        f'{PARENT},{PARENT}',
        f'cc-{TRACE}-{SPAN}-01.more',
        f'cc-{TRACE}-{SPAN}-01,{PARENT}',
        f'00-{TRACE[:-1]}\u0664-{SPAN}-01',
    ],
)
def test_malformed_traceparent_is_ignored(text):
    assert parse_traceparent(text) is None


@given(st.text(st.sampled_from('0123456789abcdef-f, '), max_size=70))
def test_any_traceparent_is_read_as_valid_ids_or_ignored(text):
    found = parse_traceparent(text)
    if found is not None:
        assert parse_traceparent(found.follow(SPAN)) == found._replace(span_id=SPAN)


@pytest.mark.parametrize(
    ('text', 'kept'),
    [
        ('a=1', 'a=1'),
        (' a=1 ,, tenant@vendor=x y ,', 'a=1,tenant@vendor=x y'),
        (','.join(f'k{n}=1' for n in range(32)), ','.join(f'k{n}=1' for n in range(32))),
        (','.join(f'k{n}=1' for n in range(33)), ''),
        ('a=1,a=2', ''),
        ('a', ''),
        ('a=', ''),
        ('A=1', ''),
        ('a=b=c', ''),
        ('a=\x7f', ''),
        (f'a={"x" * 257}', ''),
        ('', ''),
    ],
)
def test_tracestate_is_kept_if_every_member_is_valid(text, kept):
    assert parse_tracestate(text) == kept


def test_calls_and_the_answer_belong_to_the_trace_of_traceparent(ask):
    response = ask('/called', traceparent=PARENT)
    assert response.text == response.headers['X-Trace-Id'] == TRACE
    answered = parse_traceparent(response.headers['traceparent'])
    assert (answered.trace_id, answered.sampled) == (TRACE, True)
    assert answered.span_id != SPAN
    assert parse_traceparent(ask('/called', traceparent=PARENT).headers['traceparent']) != answered


def test_traceparent_takes_precedence_over_the_trace_id_field(ask):
    response = ask('/called', traceparent=PARENT, X_Trace_Id='mine')
    assert response.text == response.headers['X-Trace-Id'] == TRACE
    response = ask('/called', traceparent=PARENT[:-1], X_Trace_Id='mine')
    assert response.text == response.headers['X-Trace-Id'] == 'mine'
    assert 'traceparent' not in response.headers


@pytest.mark.parametrize(('path', 'status'), [('/fail', 500), ('/none', 404), ('/own', 200)])
def test_every_answer_has_one_traceparent_and_one_trace_id(ask, path, status):
    response = ask(path, traceparent=PARENT)
    assert response.status_code == status
    assert response.headers.getlist('X-Trace-Id') == [TRACE]
    (answered,) = response.headers.getlist('traceparent')
    assert parse_traceparent(answered).trace_id == TRACE


def test_handler_carries_the_trace_on_to_other_http_servers(ask):
    sent = ask('/onwards', traceparent=PARENT, tracestate='a=1, b=2').headers
    assert (sent['Sent-traceparent'], sent['Sent-X-Trace-Id']) == (sent['traceparent'], TRACE)
    assert sent['Sent-tracestate'] == 'a=1,b=2'
    sent = ask('/onwards', tracestate='a=1').headers
    made = parse_traceparent(sent['Sent-traceparent'])
    assert (made.trace_id, made.sampled) == (sent['X-Trace-Id'], False)
    assert 'Sent-tracestate' not in sent
    sent = ask('/onwards', X_Trace_Id='mine').headers
    assert (sent['Sent-X-Trace-Id'], 'Sent-traceparent' in sent) == ('mine', False)


def test_header_fields_of_the_trace_id_can_be_renamed(start_interface):
    names = {'request_header': 'X-Request-Id', 'response_header': 'X-Correlation-Id'}
    client = start_interface(Traced, None, Backend, tracing=names).client
    response = client.get('/called', headers={'X-Request-Id': 'mine', 'X-Trace-Id': 'other'})
    assert response.text == response.headers['X-Correlation-Id'] == 'mine'
    assert 'X-Trace-Id' not in response.headers
    sent = client.get('/onwards', headers={'X-Request-Id': 'mine'}).headers
    assert (sent['Sent-X-Request-Id'], 'Sent-X-Trace-Id' in sent) == ('mine', False)
    for path in ('/fail', '/none', '/_health/'):
        response = client.get(path, headers={'X-Request-Id': 'mine'})
        assert response.headers.getlist('X-Correlation-Id') == ['mine']


BASE = {
    'container': {
        'registry': {'class': 'static'},
        'events': {'class': 'null'},
        'rpc': {'transport': 'memory'},
    },
    'interfaces': {'web': {'class': 'lymph.web:WebServiceInterface'}},
}
WRONG = {
    'tracing': ('5', 'x', '[1]'),
    'tracing.request_header': (*TEXTS, 'a b', 'a_b', '"a:"', 'traceparent', 'Host', 'é'),
    'tracing.response_header': (*TEXTS, 'a b', 'Traceparent', 'Content-Length'),
    'tracing.request_haeder': ('X-Id',),
}


@pytest.mark.parametrize('key', WRONG)
def test_invalid_name_of_a_header_field_is_rejected_at_its_place(key):
    check_refused(key, WRONG[key], lambda config: build_container(config).stop(), BASE)
    check_taken_or_refused(key, lambda config: build_container(config).stop(), BASE)
