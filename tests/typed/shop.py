"""Typed proxies, checked by mypy and pyright."""

from __future__ import annotations

from stock import Order, Stock, StockApi, TakesOrders
from typing_extensions import assert_type

import lymph
from lymph.client import Client


class Shop(lymph.Interface):
    stock = lymph.proxy('stock', Stock, timeout=3)
    api = lymph.proxy('stock', StockApi)
    plain = lymph.proxy('stock', TakesOrders, version='1.2', namespace='warehouse')
    annotated: Stock = lymph.proxy('stock', Stock)
    mail = lymph.proxy('mail')
    other = lymph.proxy('mail', 'postcards', 2.0, error_map={'KeyError': KeyError}, retries=1)
    named = lymph.proxy('mail', namespace='postcards')
    # error: mypy[call-overload] pyright[reportCallIssue]
    late = lymph.proxy('stock', Stock, tiemout=3)
    # error: mypy[assignment] pyright[reportAssignmentType]
    wrong: Order = lymph.proxy('stock', Stock)
    # error: mypy[call-overload] pyright[reportArgumentType,reportCallIssue]
    three = lymph.proxy('stock', 3)

    def interface(self, channel: lymph.ReplyChannel) -> None:
        assert_type(self.stock, Stock)
        assert_type(self.stock.take(article='x'), Order)
        assert_type(self.stock.take('x', 2), Order)
        assert_type(self.stock.take.defer(article='x'), lymph.AsyncResult[Order])
        assert_type(self.stock.take.defer('x').get(timeout=3), Order)
        assert_type(self.stock.find.defer(article='x').get(), list[Order])
        assert_type(self.annotated.find(article='x'), list[Order])
        self.stock.note('x', colour='red')
        self.stock.watch(article='x')
        self.stock.watch.defer(article='x')
        # error: mypy[call-arg] pyright[reportCallIssue]
        self.stock.take(artcle='x')
        # error: mypy[call-arg] pyright[reportCallIssue]
        self.stock.take()
        # error: mypy[arg-type] pyright[reportArgumentType]
        self.stock.take(article=1)
        # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
        _ = self.stock.take('x').cuont
        # error: mypy[call-arg] pyright[reportCallIssue]
        self.stock.take.defer(artcle='x')
        # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
        _ = self.stock.take.defer('x').get().cuont
        # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
        self.stock.tkae(article='x')
        # error: mypy[call-overload] pyright[reportCallIssue]
        self.stock.watch(artcle='x')
        # error: mypy[call-arg] pyright[reportCallIssue]
        self.stock.watch.defer(artcle='x')
        # error: mypy[call-arg] pyright[reportCallIssue]
        self.stock.find('x')

    def protocols(self) -> None:
        assert_type(self.plain, TakesOrders)
        assert_type(self.plain.take('x'), Order)
        assert_type(self.api.take.defer('x'), lymph.AsyncResult[Order])
        assert_type(lymph.defer(self.plain.take, article='x'), lymph.AsyncResult[Order])
        assert_type(lymph.defer(self.api.take, 'x').get(), Order)
        # error: mypy[call-arg] pyright[reportCallIssue]
        self.plain.take(artcle='x')
        # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
        self.plain.take.defer(article='x')
        # error: mypy[call-arg] pyright[reportCallIssue]
        lymph.defer(self.plain.take, artcle='x')
        # error: mypy[arg-type] pyright[reportArgumentType]
        lymph.defer(self.plain.take, article=1)

    def options(self) -> None:
        assert_type(lymph.with_options(self.stock, timeout=3), Stock)
        assert_type(lymph.with_options(self.plain, timeout=3).take('x'), Order)
        assert_type(lymph.with_options(self.api, retries=1).take.defer('x').get(), Order)
        assert_type(lymph.with_options(self.mail, retries=1), lymph.Proxy)
        # error: mypy[call-arg] pyright[reportCallIssue]
        lymph.with_options(self.stock, tiemout=3)
        # error: mypy[arg-type] pyright[reportArgumentType]
        lymph.with_options(self.stock, timeout='3')

    def untyped(self) -> None:
        assert_type(self.mail, lymph.Proxy)
        assert_type(self.other.with_options(timeout=3), lymph.Proxy)
        assert_type(self.named, lymph.Proxy)
        self.mail.send(to='ada')
        self.mail.send.defer(to='ada').get()
        self.mail.with_options(timeout=3).send(to='ada')
        # error: mypy[call-arg] pyright[reportCallIssue]
        self.mail.send('ada')
        # error: mypy[call-arg] pyright[reportCallIssue]
        self.mail.with_options(tiemout=3)
        self.request('stock', 'stock.take', {'article': 'x'}, timeout=3)
        # error: mypy[arg-type] pyright[reportArgumentType]
        self.request('stock', 'stock.take', timeout='3')

    def made(self) -> None:
        assert_type(self.proxy('stock', Stock, timeout=3), Stock)
        assert_type(self.proxy('stock', TakesOrders).take(article='x'), Order)
        assert_type(self.proxy('stock', 'warehouse', 3.0), lymph.Proxy)


def program() -> None:
    with Client.from_config() as client:
        stock = client.proxy('stock', Stock)
        assert_type(client, Client)
        assert_type(stock.take(article='x'), Order)
        assert_type(stock.take.defer(article='x').get(), Order)
        assert_type(client.proxy('stock'), lymph.Proxy)
        # error: mypy[call-arg] pyright[reportCallIssue]
        stock.take(artcle='x')
        client.emit('sold', {'article': 'x'})
