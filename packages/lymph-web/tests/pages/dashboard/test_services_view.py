"""The first view: services with health and figures that move; and one service."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page, expect

Open = Callable[..., Page]


def row(page: Page, name: str) -> Locator:
    return page.get_by_role('row').filter(has=page.get_by_role('link', name=name, exact=True))


def test_services_are_shown_with_their_health(open_page: Open) -> None:
    page = open_page()
    for name in ('echo', 'mail', 'shop', 'stock'):
        expect(row(page, name).get_by_role('rowheader')).to_contain_text('all instances are up')
    expect(page.get_by_role('status').filter(has_text='services')).to_have_text('4 services')
    expect(page.locator('#state')).to_have_text('Live')


def test_rates_and_charts_move_under_load(open_page: Open, calling: Any) -> None:
    page = open_page()
    calling(page, 'echo.upper', text='foo')
    rate = row(page, 'echo').locator('[data-title=Rate]')
    expect(rate.locator('.value')).to_have_text(re.compile(r'^[1-9][\d.]*( k)?/s$'))
    chart = rate.get_by_role('img')
    expect(chart).to_have_attribute('aria-label', re.compile(r'^Rate in the last 2 minutes: '))
    before = chart.locator('.line').get_attribute('d')
    expect(chart.locator('.line')).not_to_have_attribute('d', before or '')
    p99 = row(page, 'echo').locator('[data-title=p99] .value')
    expect(p99).to_have_text(re.compile(r'^[\d.]+ (µs|ms|s)$'))


def test_reload_keeps_the_charts(open_page: Open) -> None:
    page = open_page()
    line = row(page, 'echo').locator('[data-title=Rate] path.line')
    expect(line).to_have_attribute('d', re.compile('L.*L.*L'))
    page.reload()
    expect(line).to_have_attribute('d', re.compile('L.*L.*L'))


def test_service_has_instances_and_methods_that_can_be_called(open_page: Open) -> None:
    page = open_page()
    page.get_by_role('link', name='shop', exact=True).click()
    expect(page.get_by_role('heading', level=1)).to_contain_text('shop')
    instances = page.get_by_role('table', name='Instances')
    expect(instances.get_by_role('row').nth(1)).to_contain_text('pid')
    expect(page.get_by_role('img', name=re.compile('^Rate'))).to_be_visible()
    page.get_by_role('table', name='Methods').get_by_role('link', name='shop.order').click()
    expect(page.get_by_role('heading', level=1)).to_have_text('shop.order')


def test_services_are_filtered_and_sorted(open_page: Open) -> None:
    page = open_page()
    names = page.get_by_role('table').get_by_role('link')
    expect(names).to_have_text(['echo', 'mail', 'shop', 'stock'])
    button = page.get_by_role('button', name='Service')
    button.click()
    button.click()
    expect(names).to_have_text(['stock', 'shop', 'mail', 'echo'])
    expect(page.get_by_role('columnheader').first).to_have_attribute('aria-sort', 'descending')
    page.get_by_label('Filter services').fill('o s')
    expect(names).to_have_text(['stock', 'shop'])
    expect(page.get_by_text('2 of 4 services')).to_be_visible()


def test_service_that_comes_and_goes_is_told(open_page: Open, desk: Any) -> None:
    page = open_page()
    expect(row(page, 'echo')).to_be_visible()
    desk.start('late', {'late': {'class': 'shop:Echo'}})
    desk.said('late')
    page.get_by_role('link', name='late', exact=True).click()
    expect(page.get_by_role('heading', level=1)).to_contain_text('all instances are up')
    desk.end('late')
    expect(page.get_by_role('heading', name='Not there')).to_be_visible()


def test_unknown_address_is_told(open_page: Open) -> None:
    page = open_page('#/nothing')
    expect(page.get_by_role('heading', level=1)).to_have_text('Not found')
