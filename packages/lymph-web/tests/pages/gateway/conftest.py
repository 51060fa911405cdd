"""A gateway to real services, and its page in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

Open = Callable[..., Page]


@pytest.fixture(scope='session')
def services(new_services: Callable[[], Any]) -> Any:
    return new_services()


@pytest.fixture(scope='session')
def gateway(services: Any) -> str:
    """The URL of the page of a gateway to all services of this folder."""
    api = {
        'class': 'lymph.web.gateway:Gateway',
        'ip': '127.0.0.1',
        'allow': ['shop.*', 'echo.*', 'hostile.*', 'stock.*'],
        'events': ['shop.*'],
    }
    own = {name: {'class': f'shop:{name.capitalize()}'} for name in ('shop', 'echo', 'hostile')}
    services.start('stock', {'stock': {'class': 'shop:Stock'}})
    services.start('api', {'api': api, **own})
    services.said('stock')
    found = re.search(r'api at (http://\S+)', services.said('api'))
    assert found is not None
    return f'{found[1]}/api/'


@pytest.fixture
def open_page(open_window: Open, gateway: str) -> Open:
    """Return a function that opens the page at an address, such as `#echo.upper`; once a test."""

    def open_page(address: str = '', *, home: str = gateway, **options: Any) -> Page:
        return open_window(f'{home}{address}', home, **options)

    return open_page
