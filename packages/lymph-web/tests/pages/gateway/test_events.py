"""Events on the page, as they happen."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

Open = Callable[..., Page]

GUIDE = (Path(__file__).parents[5] / 'docs' / 'gateway.md').read_text()


def test_events_appear_while_methods_are_called(open_page: Open) -> None:
    page = open_page()
    page.get_by_role('link', name='Live events').click()
    expect(page.get_by_label('Types')).to_have_value('shop.*')
    page.get_by_role('button', name='Listen').click()
    expect(page.get_by_text('Listening to shop.*')).to_be_visible()
    page.locator('#list a[href="#shop.order"]').click()
    page.get_by_label('article', exact=True).fill('sock')
    page.get_by_role('button', name='Send').click()
    link = page.get_by_role('link', name=re.compile(r'^Live events \(1\)$'))
    link.click()
    event = page.get_by_role('list', name='Events').get_by_role('listitem')
    expect(event).to_contain_text('shop.ordered')
    expect(event).to_contain_text('"article": "sock"')
    page.get_by_role('button', name='Stop').click()
    expect(page.get_by_text('Not listening.')).to_be_visible()


def test_types_that_are_not_allowed_are_refused_with_the_reason(open_page: Open) -> None:
    page = open_page('#events')
    page.get_by_label('Types').fill('bank.opened')
    page.get_by_label('Types').press('Enter')
    expect(page.get_by_text(re.compile('^Refused: .*bank.opened.*404'))).to_be_visible()
    expect(page.get_by_role('button', name='Listen')).to_be_visible()
    page.get_by_label('Types').fill('')
    page.get_by_role('button', name='Listen').click()
    expect(page.get_by_text('Name at least one type of events.')).to_be_visible()


def test_gateway_without_events_has_no_events_on_its_page(open_page: Open) -> None:
    def without(page: Page) -> None:
        page.route('**/openapi.json', lambda route: route.fulfill(body='{"openapi": "3.1.0"}'))

    page = open_page('#events', prepare=without)
    expect(page.get_by_role('heading', level=1)).to_have_text('Not found')
    assert page.get_by_role('link', name='Live events').count() == 0


def test_example_of_the_guide_reads_events_in_a_browser(open_page: Open) -> None:
    example = re.search(r'^```javascript\n(.*?)^```', GUIDE, re.MULTILINE | re.DOTALL)
    assert example is not None
    order = {
        'method': 'POST',
        'headers': {'Content-Type': 'application/json'},
        'body': json.dumps({'article': 'boot'}),
    }
    seen = open_page().evaluate(
        f"""() => new Promise((resolve) => {{
            const add = (article) => resolve(article);
            const load = () => fetch('/api/shop/order', {json.dumps(order)});
            {example[1]}
        }})"""
    )
    assert seen == 'boot'
