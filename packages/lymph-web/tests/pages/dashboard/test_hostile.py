"""What services say of themselves, log and fail with is text, and never HTML."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

Open = Callable[..., Page]
HTML = '<img src=x onerror='


def test_what_services_say_is_text_and_never_html(open_page: Open, desk: Any) -> None:
    desk.start(
        'hostile',
        {'hostile': {'class': 'shop:Hostile'}, 'angry': {'class': 'mail:Angry'}},
        container={'log_endpoint': 'tcp://127.0.0.1'},
    )
    desk.said('hostile')
    page = open_page('#/call/hostile.attack')
    page.get_by_role('button', name='Send').click()
    expect(page.locator('.answer .code')).to_contain_text(HTML)
    page.goto(f'{page.url.split("#")[0]}#/logs')
    desk.finish(['emit', 'angry.asked'])
    expect(page.locator('.log')).to_contain_text(HTML)
    page.goto(f'{page.url.split("#")[0]}#/dead-letters/angry.on_asked')
    expect(page.locator('.letter-error').first).to_contain_text(HTML)
    page.goto(f'{page.url.split("#")[0]}#/traces')
    page.get_by_role('link', name='hostile.attack').first.click()
    expect(page.get_by_role('table')).to_contain_text('hostile.attack')
    assert page.locator('img').count() == 0
    assert 'lymph' in page.title()
    desk.end('hostile')
