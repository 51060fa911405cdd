"""Services whose work is one trace: HTTP, a call, an event that is tried twice, and a task."""

from __future__ import annotations

import time
from typing import Any

from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

import lymph
from lymph.web import WebServiceInterface


class Shop(WebServiceInterface):
    """Answers clients."""

    url_map = Map([Rule('/buy', endpoint='buy')])

    def buy(self, request: Request) -> Response:
        """Buy an article."""
        return Response(self.request('stock', 'stock.take', {'article': 'nails'}, timeout=10))


class Stock(lymph.Interface):
    """Keeps articles."""

    @lymph.rpc()
    def take(self, article: str) -> str:
        """Take an article, without giving way to others for a while."""
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            pass
        self.emit('stock.taken', {'article': article})
        return 'taken'

    @lymph.event('stock.taken', retry=3)
    def on_taken(self, event: lymph.Event) -> None:
        """Handle a sale in the second attempt."""
        if event.attempt == 1:
            raise ValueError('again')
        self.bill.apply(article=event['article'])

    @lymph.task()
    def bill(self, article: Any) -> None:
        """Write a bill."""
