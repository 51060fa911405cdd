"""Pages of other origins: preflights, and who may read an answer."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

import lymph
from lymph.testing.waiting import eventually
from lymph.web._browsers.origins import AllowedOrigins
from lymph.web.interfaces import WebServiceInterface

SHOP = 'https://shop.example.org'
EVIL = 'https://evil.org'
PREFLIGHT = {'Access-Control-Request-Method': 'PUT'}


class Pages(lymph.Interceptor, WebServiceInterface):
    kinds = frozenset({'http'})
    url_map = Map(
        [
            Rule('/page', endpoint='page', methods=['GET', 'PUT', 'OPTIONS']),
            Rule('/own', endpoint='own'),
            Rule('/fail', endpoint='fail'),
            Rule('/hold', endpoint='hold'),
        ]
    )
    seen = 0
    holding = False

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.go_on = Event()

    def hold(self, request):
        self.holding = True
        self.go_on.wait(10.0)
        return Response('')

    def intercept(self, work, proceed):
        self.seen += 1
        return proceed()

    def page(self, request):
        return Response(request.method, headers={'Vary': 'Accept, origin'})

    def own(self, request):
        return Response('', headers={'Access-Control-Allow-Origin': 'https://own.org'})

    def fail(self, request):
        raise ValueError


@pytest.fixture
def serve(start_interface):
    def serve(**cors):
        return start_interface(Pages, {'cors': {'origins': [SHOP], **cors}})

    return serve


def ask(web, path='/page', origin=SHOP, method='GET', **fields):
    headers = {name.replace('_', '-'): value for name, value in fields.items()}
    if origin is not None:
        headers['Origin'] = origin
    return web.client.open(path, method=method, headers=headers)


def preflight(web, origin=SHOP, path='/page', **fields):
    asked = {'Access_Control_Request_Method': 'PUT', **fields}
    return ask(web, path, origin, 'OPTIONS', **asked)


def cors_of(response):
    return {
        name.removeprefix('Access-Control-').lower(): value
        for name, value in response.headers
        if name.startswith('Access-Control-')
    }


@pytest.mark.parametrize(
    ('entries', 'origin', 'allowed'),
    [
        ([SHOP], SHOP, True),
        ([SHOP.upper()], SHOP, True),
        ([f'{SHOP}:443'], SHOP, True),
        (['http://a.org:80'], 'http://a.org', True),
        (['http://a.org:8080'], 'http://a.org:8080', True),
        (['http://[::1]:8080'], 'http://[::1]:8080', True),
        (['capacitor://localhost'], 'capacitor://localhost', True),
        ([SHOP], 'http://shop.example.org', False),
        ([SHOP], f'{SHOP}:444', False),
        ([SHOP], f'{SHOP}.evil.org', False),
        ([SHOP], 'https://evilshop.example.org', False),
        ([SHOP], f'{SHOP}/', False),
        ([SHOP], 'null', False),
        ([SHOP], '', False),
        (['https://*.example.org'], SHOP, True),
        (['https://*.example.org'], 'https://a.b.example.org', True),
        (['https://*.example.org'], 'https://example.org', False),
        (['https://*.example.org'], 'https://.example.org', False),
        (['https://*.example.org'], 'https://evilexample.org', False),
        (['https://*.example.org'], 'https://a.exampleXorg', False),
        (['https://*.example.org'], 'https://evil.org/.example.org', False),
        (['https://*.example.org'], 'https://evil.org:1.example.org', False),
        (['https://*.example.org'], 'https://a@b.example.org', False),
        (['https://*.example.org'], 'https://a.example.org:8443', False),
        (['https://*.example.org'], 'https://a.example.org\n', False),
        (['https://*.example.org'], f'https://{"a." * 10_000}example.org', False),
        (['https://*.example.org:8443'], 'https://a.example.org:8443', True),
        (['https://*.example.org'], 'null', False),
        (['null'], 'null', True),
        (['*'], 'null', True),
        (['*'], EVIL, True),
    ],
)
def test_origin_is_allowed_if_an_entry_describes_it(entries, origin, allowed):
    assert AllowedOrigins.parse(entries).allows(origin) is allowed


def test_preflight_is_answered_before_routes_and_interceptors(serve):
    web = serve(headers=['X-Api-Key'], max_age=5)
    for path in ('/page', '/nowhere'):
        response = preflight(web, path=path, Access_Control_Request_Headers='x-api-key')
        assert (response.status_code, response.data) == (204, b'')
        assert cors_of(response) == {
            'allow-origin': SHOP,
            'allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
            'allow-headers': 'Accept, Accept-Language, Content-Language, Content-Type, X-Api-Key',
            'max-age': '5',
        }
        assert set(response.headers['Vary'].split(', ')) == {
            'Access-Control-Request-Method',
            'Access-Control-Request-Headers',
            'Origin',
        }
    assert web.interface.seen == 0


def test_preflight_of_another_origin_is_refused(serve):
    response = preflight(serve(), EVIL)
    assert (response.status_code, cors_of(response)) == (403, {})
    assert 'Origin' in response.headers['Vary'].split(', ')


def test_other_options_request_is_routed(serve):
    web = serve()
    assert ask(web, method='OPTIONS').text == 'OPTIONS'
    assert preflight(web, origin=None).text == 'OPTIONS'


def test_answer_names_the_origin_that_may_read_it(serve):
    web = serve(credentials=True, expose=['X-Total', 'X-Trace-Id'])
    response = ask(web)
    assert response.text == 'GET'
    assert cors_of(response) == {
        'allow-origin': SHOP,
        'allow-credentials': 'true',
        'expose-headers': 'X-Total, X-Trace-Id',
    }
    for path, status in [('/fail', 500), ('/nowhere', 404), ('/_health/', 200)]:
        response = ask(web, path)
        assert response.status_code == status
        assert cors_of(response)['allow-origin'] == SHOP


@pytest.mark.parametrize('origin', [EVIL, 'null', None, 'x y'])
def test_answer_to_others_names_no_origin_and_says_that_it_depends_on_it(serve, origin):
    web = serve()
    response = ask(web, origin=origin)
    assert (response.status_code, cors_of(response)) == (200, {})
    assert response.headers.getlist('Vary') == ['Accept, origin']
    assert ask(web, '/own', origin).headers.getlist('Vary') == ['Origin']


def test_handler_may_choose_the_origin_itself(serve):
    response = ask(serve(credentials=True), '/own')
    assert cors_of(response) == {'allow-origin': 'https://own.org'}


def test_wildcards_allow_every_origin_method_and_header(serve):
    web = serve(origins=['*'], methods=['*'], headers=['*'])
    assert cors_of(ask(web, origin=EVIL)) == {'allow-origin': '*'}
    assert ask(web, '/own', EVIL).headers.getlist('Vary') == []
    found = cors_of(
        preflight(
            web, EVIL, Access_Control_Request_Method='PURGE', Access_Control_Request_Headers='a,b c'
        )
    )
    assert (found['allow-methods'], found['allow-headers']) == ('PURGE', 'a')


def test_public_page_reaches_a_private_address_only_if_that_is_allowed(serve):
    asking = {'Access_Control_Request_Private_Network': 'true'}
    assert 'allow-private-network' not in cors_of(preflight(serve(), **asking))
    web = serve(private_network=True)
    assert cors_of(preflight(web, **asking))['allow-private-network'] == 'true'
    assert 'allow-private-network' not in cors_of(preflight(web))


def test_real_server_answers_preflights(serve):
    fields = [f'Origin: {SHOP}', 'Access-Control-Request-Method: PUT']
    answer = serve().ask('/page', *fields, method='OPTIONS')
    assert (answer.status, answer.headers['access-control-allow-origin']) == (204, SHOP)
    assert 'content-type' not in answer.headers


def test_page_may_read_that_the_server_is_overloaded(start_interface):
    keys = {'cors': {'origins': [SHOP]}, 'wsgi_pool_size': 1, 'queue_timeout': 0.001}
    web = start_interface(Pages, keys)
    first = gevent.spawn(web.ask, '/hold')
    eventually(lambda: web.interface.holding)
    parent = f'00-{"1" * 32}-{"2" * 16}-01'
    answer = web.ask('/page', f'Origin: {SHOP}', f'traceparent: {parent}')
    assert (answer.status, answer.headers['access-control-allow-origin']) == (503, SHOP)
    assert answer.headers['traceparent'].startswith(f'00-{"1" * 32}-')
    web.interface.go_on.set()
    first.get(timeout=10.0)


def test_page_may_read_that_the_application_failed(serve):
    web = serve()

    def failing(environ, start_response):
        raise ValueError

    web.interface.application = failing
    answer = web.ask('/page', f'Origin: {SHOP}')
    assert (answer.status, answer.headers['access-control-allow-origin']) == (500, SHOP)


def test_without_the_section_there_are_no_fields(start_interface):
    web = start_interface(Pages)
    assert cors_of(ask(web)) == {}
    assert 'Origin' not in ask(web, '/nowhere').headers.get('Vary', '')


@pytest.mark.parametrize(
    ('cors', 'key', 'text'),
    [
        ({}, 'origins', 'expected origins'),
        ({'origins': []}, 'origins', 'expected origins'),
        ({'origins': ['*'], 'credentials': True}, 'origins', 'any page act as its visitor'),
        ({'origins': ['null'], 'credentials': True}, 'origins', 'any page act as its visitor'),
        *[
            ({'origins': [origin]}, 'origins', repr(origin))
            for origin in (
                *('', 'shop.example.org', 'https://', f'{SHOP}/', 'https://*', 'https://a.*.org'),
                *('*.example.org', 'https://*example.org', 'https://*.a.org/x', 'https://a b'),
            )
        ],
        ({'origins': [5]}, 'origins', 'list of text'),
        ({'origins': [SHOP], 'methods': ['a b']}, 'methods', "'a b'"),
        ({'origins': [SHOP], 'headers': ['a:']}, 'headers', "'a:'"),
        ({'origins': [SHOP], 'expose': [5]}, 'expose', 'list of text'),
        ({'origins': [SHOP], 'max_age': 86401}, 'max_age', 'to 86400'),
        ({'origins': [SHOP], 'credentails': True}, 'credentails', "did you mean 'credentials'?"),
    ],
)
def test_invalid_section_is_rejected_at_its_place(start_interface, cors, key, text):
    with pytest.raises(lymph.ConfigurationError) as caught:
        start_interface(Pages, {'cors': cors})
    assert str(caught.value).startswith(f'interfaces.web.cors.{key}: ')
    assert text in str(caught.value)
