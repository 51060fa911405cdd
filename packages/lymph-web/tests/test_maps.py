"""The URL map of an interface: a copy of its own, subdomains, and URLs for its pages."""

from __future__ import annotations

import pytest
from werkzeug.routing import BaseConverter, BuildError, Map, Rule, Subdomain
from werkzeug.test import Client, create_environ
from werkzeug.wrappers import Request, Response

from lymph.core.container import ServiceContainer
from lymph.core.settings import ContainerSettings
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.null import NullEventSystem
from lymph.web import RequestHandler, WebServiceInterface
from lymph.web._answering.maps import copied


class Page(RequestHandler):
    def get(self, id):
        return Response(self.url_for(Page, id=id + 1))


class Shop(WebServiceInterface):
    def hello(self, request, name='nobody'):
        return Response(f'{name} {self.url_for(request, "hello", name=name, x="a b")}')

    def api(self, request):
        return Response('api')

    url_map = Map([Rule('/hello/<name>', endpoint=hello), Rule('/pages/<int:id>', endpoint=Page)])

    def apply_config(self, config):
        super().apply_config(config)
        if 'extra' in config:
            self.url_map.add(Rule(f'/{config["extra"]}', endpoint='hello'))


class Derived(Shop):
    pass


class Replaced(Shop):
    def __init__(self, *args):
        self.url_map = Map([Rule('/mine', endpoint=self.api)])
        super().__init__(*args)


class Domains(Shop):
    url_map = Map([Rule('/', endpoint='hello'), Subdomain('api', [Rule('/', endpoint='api')])])


class Hosts(Shop):
    url_map = Map([Rule('/', endpoint='api', host='<name>.example.com')], host_matching=True)

    def api(self, request, name):
        return Response(name)


@pytest.fixture
def make():
    """Return a function that makes an interface with a section of the configuration."""
    container = ServiceContainer(
        MemoryTransport(network=MemoryNetwork()),
        StaticServiceRegistryHub().create_registry(),
        NullEventSystem(),
        ContainerSettings(),
    )

    def make(cls, name='shop', **section):
        return container.install_interface(cls, name, None, section)

    yield make
    container.stop()


def get(interface, path, **given):
    return Client(interface.application).get(path, **given)


@pytest.mark.parametrize('cls', [Shop, Derived])
def test_rules_that_an_interface_adds_are_not_seen_by_others(make, cls):
    first, second = make(cls, 'first', extra='first'), make(cls, 'second', extra='second')
    found = [
        get(interface, f'/{path}').status_code
        for interface in (first, second)
        for path in ('first', 'second')
    ]
    assert found == [200, 404, 404, 200]
    assert len(list(Shop.url_map.iter_rules())) == 2


def test_map_that_an_interface_sets_itself_is_used(make):
    interface = make(Replaced)
    assert get(interface, '/mine').status_code == 200
    assert get(interface, '/hello/you').status_code == 404


def test_urls_are_built_by_name_by_function_and_by_class(make):
    interface = make(Shop)
    assert get(interface, '/hello/you').text == 'you /hello/you?x=a+b'
    assert get(interface, '/pages/1').text == '/pages/2'
    request = Request(create_environ('/hello/you', 'https://example.com/app/'))
    assert interface.url_for(request, Shop.hello, name='ö') == '/app/hello/%C3%B6'
    external = interface.url_for(request, 'hello', name='a', _external=True)
    assert external == 'https://example.com/app/hello/a'
    with pytest.raises(BuildError) as caught:
        interface.url_for(request, 'helo')
    assert caught.value.endpoint == 'helo'


def test_subdomains_are_part_of_the_configured_server_name(make, recwarn):
    interface = make(Domains, server_name='Example.com')

    def text(host):
        return get(interface, '/', base_url=f'http://{host}').text.split()[0]

    assert text('api.example.com') == text('API.example.com:8080') == 'api'
    assert text('example.com') == text('example.com:8080') == 'nobody'
    assert text('127.0.0.1:5000') == text('other.com') == text('[::1]:80') == 'nobody'
    assert get(interface, '/', base_url='http://no.example.com').status_code == 404
    assert list(recwarn) == []


def test_rules_match_by_host(make):
    interface = make(Hosts)
    assert get(interface, '/', base_url='http://api.example.com').text == 'api'
    assert get(interface, '/', base_url='http://example.org').status_code == 404


class Uncopyable(BaseConverter):
    def __init__(self, map):
        super().__init__(map)
        self.lines = (line for line in ())


class Special(Map):
    def __init__(self, owner):
        self.owner = owner
        super().__init__([Rule('/a', endpoint='x')], strict_slashes=False)


def same(endpoint):
    return endpoint


def test_copy_of_a_map_has_the_same_rules_in_the_same_order():
    value = object()
    source = Map(
        [
            Rule('/other', endpoint='second', defaults={'value': value}),
            Rule('/a', endpoint='first'),
            Rule('/a', endpoint='second', defaults={'value': value}),
            Rule('/a//b', endpoint='third', merge_slashes=False),
            Rule('/old', redirect_to='a'),
            Rule('/built', endpoint='built', build_only=True),
        ],
        redirect_defaults=False,
    )
    copy = copied(source, same)
    copy.add(Rule('/new', endpoint='new'))
    for adapter in (source.bind('host'), copy.bind('host')):
        assert adapter.match('/a') == ('first', {})
        assert adapter.match('/other')[1]['value'] is value
        assert adapter.match('/a//b')[0] == 'third'
        assert adapter.build('second', {'value': value}) == '/other'
        assert adapter.build('built') == '/built'
    assert not source.bind('host').test('/new')


def test_values_of_the_author_are_not_copied():
    owner = object()
    rule = Rule('/b', endpoint=owner)
    rule.note = owner
    source = Special(owner)
    source.add(rule)
    copy = copied(source, same)
    (found,) = copy.iter_rules(owner)
    assert found is not rule
    assert found.note is copy.owner is owner
    assert copy.bind('host').match('/b')[0] is owner


def test_map_with_a_converter_that_cannot_be_copied_is_shared():
    source = Map([Rule('/<u:a>', endpoint='x')], converters={'u': Uncopyable})
    assert copied(source, same).bind('host').match('/b') == ('x', {'a': 'b'})
