"""URLs that were asked for before are answered as if they were matched again."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.exceptions import HTTPException
from werkzeug.routing import IntegerConverter, Map, Rule
from werkzeug.test import create_environ
from werkzeug.wrappers import Request

from lymph.web._answering import remembered
from lymph.web._answering.routing import Router

RULES = [
    *('/', '/files/<path:name>', '/items/<int:number>', '/both/<any(a, b):which>', '/folder/'),
    *('/numbers/<float:x>', '/ids/<uuid:id>'),
]
PATHS = [
    *('/', '/files/a/b', '/items/1', '/items/x', '/both/a', '/both/c', '/folder/', '/folder'),
    *('/numbers/1.5', '/ids/12345678-1234-5678-1234-567812345678', '//items/1', '', '/none'),
]


class Site:
    name = 'site'

    def __init__(self, url_map: Map) -> None:
        self.url_map = url_map


def new_map() -> Map:
    return Map(
        [Rule(rule, endpoint=rule, methods=['GET', 'POST']) for rule in RULES]
        + [Rule('/items/<int:number>', endpoint='delete', methods=['DELETE'])]
    )


def outcome(router: Router, path: str, method: str = 'GET') -> Any:
    environ = create_environ(method=method)
    environ['PATH_INFO'] = path
    try:
        return router.match(Request(environ))
    except HTTPException as error:
        return type(error), getattr(error, 'new_url', None)


@pytest.mark.parametrize('method', ['GET', 'POST', 'DELETE', 'OPTIONS', 'HEAD'])
@pytest.mark.parametrize('path', PATHS)
def test_url_matches_again_as_it_did_before(path: str, method: str) -> None:
    router = Router(Site(new_map()))
    first = outcome(router, path, method)
    assert outcome(router, path, method) == outcome(router, path, method) == first
    assert outcome(Router(Site(new_map())), path, method) == first


def test_values_of_a_request_belong_to_it() -> None:
    router = Router(Site(new_map()))
    for _ in range(3):
        _, values = outcome(router, '/items/1')
        assert values == {'number': 1}
        values['number'] = 2


def test_rules_that_are_added_later_are_used() -> None:
    site = Site(new_map())
    router = Router(site)
    assert outcome(router, '/items/1')[0] == '/items/<int:number>'
    site.url_map.add(Rule('/items/1', endpoint='first'))
    assert outcome(router, '/items/1')[0] == 'first'


def test_map_that_replaces_another_is_used() -> None:
    site = Site(new_map())
    router = Router(site)
    assert outcome(router, '/items/1')[0] == '/items/<int:number>'
    site.url_map = Map([Rule('/items/<name>', endpoint='other')])
    assert outcome(router, '/items/1') == ('other', {'name': '1'})


def test_custom_converters_are_called_each_time() -> None:
    asked: list[str] = []

    class Asking(IntegerConverter):
        def to_python(self, value: str) -> int:
            asked.append(value)
            return super().to_python(value)

    url_map = Map([Rule('/<asking:number>', endpoint='x')], converters={'asking': Asking})
    router = Router(Site(url_map))
    for _ in range(3):
        assert outcome(router, '/7') == ('x', {'number': 7})
    assert asked == ['7'] * 3


def test_host_decides_where_rules_have_hosts() -> None:
    url_map = Map(
        [Rule('/', endpoint='a', host='a.org'), Rule('/', endpoint='b', host='b.org')],
        host_matching=True,
    )
    router = Router(Site(url_map))
    for host, endpoint in [('a.org', 'a'), ('b.org', 'b'), ('a.org', 'a')]:
        request = Request(create_environ(base_url=f'http://{host}/'))
        assert router.match(request) == (endpoint, {})


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, '_MOST', 10)
    routes = remembered.RememberedRoutes()
    url_map = new_map()
    url_map.update()
    routes.get(url_map, create_environ())
    for number in range(100):
        environ = create_environ(path=f'/items/{number}')
        routes.add(url_map, environ, ('x', {}))
    kept = [routes.get(url_map, create_environ(path=f'/items/{number}')) for number in range(100)]
    assert 0 < len([each for each in kept if each]) <= 10
    assert kept[-1] == ('x', {})
