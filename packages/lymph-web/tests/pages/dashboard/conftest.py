"""A dashboard of real services, in a browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

Open = Callable[..., Page]

TCP = {'log_endpoint': 'tcp://127.0.0.1'}


class Dashboards:
    """Dashboards in processes of their own; each has a URL with a token."""

    def __init__(self, services: Any) -> None:
        self.services = services

    def start(self, name: str, *options: str) -> str:
        """Start one; return the URL that it prints."""
        self.services.run(name, 'dashboard', '--port', '0', *options)
        self.services.said(name, 'Ctrl-C ends')
        lines = self.services.said(name, 'http://').splitlines()
        url: str = next(each for each in lines if each.startswith('http://'))
        return url


@pytest.fixture(scope='session')
def desk(new_services: Callable[[], Any]) -> Any:
    """The processes of the services that the dashboard shows, which have done something."""
    services = new_services()
    services.start('shop', {'shop': {'class': 'shop:Shop'}, 'echo': {'class': 'shop:Echo'}})
    services.start(
        'mail', {'mail': {'class': 'mail:Mail'}, 'stock': {'class': 'shop:Stock'}}, container=TCP
    )
    services.said('shop')
    services.said('mail')
    services.finish(
        ['request', 'mail.confirm', 'article=sock'],
        ['request', 'shop.order', 'article=broken'],
        ['request', 'mail.send', 'to=nobody'],
    )
    return services


@pytest.fixture(scope='session')
def dashboard(desk: Any) -> str:
    """The URL of a dashboard, with its token."""
    return Dashboards(desk).start('dashboard')


@pytest.fixture(scope='session')
def reading(desk: Any) -> str:
    """The URL of a dashboard that is for reading only."""
    return Dashboards(desk).start('reading', '--read-only')


@pytest.fixture
def start_dashboard(desk: Any) -> Callable[..., str]:
    """Return a function that starts one more dashboard."""
    return Dashboards(desk).start


@pytest.fixture
def open_page(open_window: Open, dashboard: str) -> Open:
    """Return a function that opens the page at an address, such as `#/queues`; once a test.

    `url` is what is opened first, which has the token.
    """

    def open_page(address: str = '', *, url: str = dashboard, **options: Any) -> Page:
        home = f'http://{urlsplit(url).netloc}/'
        page = open_window(url, home, **options)
        if address:
            page.goto(f'{home}{address}')
        return page

    return open_page


@pytest.fixture
def calling() -> Callable[..., None]:
    """Return a function that has a page call a method again and again, until it is left."""

    def calling(page: Page, method: str, pause: int = 50, **arguments: str) -> None:
        page.evaluate(
            """([path, body, pause]) => {
              const headers = { 'Content-Type': 'application/json' };
              const call = () => fetch(path, { method: 'POST', headers, body }).catch(() => {});
              setInterval(call, pause);
            }""",
            [f'api/{method.replace(".", "/")}', json.dumps(arguments), pause],
        )

    return calling
