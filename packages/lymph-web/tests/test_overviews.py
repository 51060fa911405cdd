"""HTTP interfaces in the overview of all services."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from lymph.core.monitoring.overview import Overview
from lymph.web.interfaces import WebServiceInterface


class Shown(WebServiceInterface):
    url_map = Map([Rule('/page', endpoint='page'), Rule('/fail', endpoint='fail')])

    def page(self, request: Request) -> Response:
        return Response('hello')

    def fail(self, request: Request) -> Response:
        raise ValueError


def test_requests_are_the_load_of_an_http_interface(start_interface: Callable[..., Any]) -> None:
    web = start_interface(Shown)
    with Overview(web.interface.container) as overview:
        first = overview.poll().service('web')
        for path in ('/page', '/page', '/nowhere', '/fail'):
            web.ask(path)
        found = overview.poll().service('web')
    assert first is not None
    assert found is not None
    assert (first.http.total, first.http.rate) == (0, None)
    assert (found.http.total, found.http.error_share) == (4, 0.25)
    assert found.http.rate is not None
    assert found.http.mean is not None
    assert 'http' in found.namespaces
    (instance,) = found.instances
    assert instance.http_url == f'http://127.0.0.1:{web.port}'
    assert (instance.status, instance.http.total) == ('up', 4)
    assert found.calls.rate is None
