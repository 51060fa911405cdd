"""HTTP, test cases and configurations, checked by mypy and pyright."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from shop import Shop
from stock import Order, Stock
from typing_extensions import assert_type
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

import lymph
from lymph.client import Client
from lymph.config import Configuration, ConfigView
from lymph.core.container import ServiceContainer
from lymph.core.plugins import Plugin
from lymph.testing import MultiServiceRPCTestCase, RPCServiceTestCase, WebServiceTestCase
from lymph.web import WebServiceInterface


class Audit(Plugin):
    level = 'info'


class Pages(WebServiceInterface):
    url_map = Map([Rule('/take/<string:article>/', endpoint='take')])
    stock = lymph.proxy('stock', Stock)

    def take(self, request: Request, article: str) -> Response:
        self.spawn(self.reorder, article, count=2)
        # error: mypy[arg-type] pyright[reportArgumentType]
        self.spawn(self.reorder, article, count='2')
        return Response(self.stock.take(article).article)

    def reorder(self, article: str, count: int) -> None: ...

    def apply_config(self, config: Mapping[str, Any]) -> None:
        super().apply_config(config)
        assert_type(self.config, Mapping[str, Any])

    # error: mypy[override] pyright[reportIncompatibleMethodOverride]
    def is_healthy(self) -> str:
        return 'yes'


class WrongPages(WebServiceInterface):
    # error: mypy[assignment] pyright[reportAssignmentType]
    url_map = '/take/'


class StockTest(RPCServiceTestCase):
    service_class = Stock
    service: Stock

    def test_take(self) -> None:
        assert_type(self.client, lymph.Proxy)
        assert_type(self.get_proxy(Stock).take(article='x'), Order)
        assert_type(self.service.take('x'), Order)
        # error: mypy[call-arg] pyright[reportCallIssue]
        self.get_proxy(Stock).take(artcle='x')


class ShopTest(MultiServiceRPCTestCase):
    services: ClassVar[Mapping[str, type[lymph.Interface]]] = {'stock': Stock, 'shop': Shop}

    def test_take(self) -> None:
        assert_type(self.get_proxy('stock', Stock, timeout=3).take('x'), Order)
        assert_type(self.get_proxy('stock', timeout=3), lymph.Proxy)
        assert_type(self.start_service('other', Stock), Stock)
        # error: mypy[call-overload] pyright[reportCallIssue]
        self.get_proxy('stock', tiemout=3)


class PagesTest(WebServiceTestCase):
    service_class = Pages

    def test_take(self) -> None:
        assert_type(self.client.get('/take/x/').status_code, int)


def configured(config: Configuration) -> None:
    section = config.view('shop')
    assert_type(section, ConfigView)
    assert_type(section.get_int('count', 1), int)
    assert_type(section.get_seconds('wait', None), 'float | None')
    assert_type(section.get_bool('open', False), bool)
    # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    section.get_integer('count')


def embedded(config: Configuration) -> None:
    container = ServiceContainer.from_config(config.view('container'), ip='127.0.0.1', port=0)
    assert_type(container.install_interface(Stock, 'stock'), Stock)
    assert_type(container.install_plugin(Audit), Audit)
    assert_type(Client(container), Client)
    container.spawn(print, 'x').join(timeout=3)
    # error: mypy[call-arg] pyright[reportCallIssue]
    ServiceContainer.from_config(config.view('container'), prot=0)
    # error: mypy[call-arg] pyright[reportCallIssue]
    Client.from_config(config, on_demnad=True)


def handles(error: lymph.RpcError) -> None:
    assert_type(error.subject, 'str | None')
    assert_type(error.facts.get('trace_id'), 'str | None')
    # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    _ = lymph.Fialed
    raise lymph.Failed('no good', **error.facts)
