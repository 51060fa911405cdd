"""Traces: the latest ones, and one as it went through the services."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

Open = Callable[..., Page]


def call(page: Page, **arguments: str) -> None:
    for name, value in arguments.items():
        page.get_by_label(name, exact=True).fill(value)
    page.get_by_role('button', name='Send').click()
    expect(page.locator('.outcome')).to_be_visible()


def test_trace_of_a_call_shows_what_it_caused(open_page: Open) -> None:
    page = open_page('#/call/mail.confirm')
    call(page, article='sock')
    page.locator('.trace').get_by_role('link').click()
    rows = page.get_by_role('table').get_by_role('row')
    for name in ('mail.confirm', 'stock.count', 'mail.confirmed', 'mail.on_confirmed'):
        expect(rows.filter(has_text=name).first).to_be_visible()
    expect(rows.nth(1)).to_contain_text('level 1')
    handler = rows.filter(has_text='mail.on_confirmed').first
    expect(handler).to_contain_text(re.compile(r'after \d'))
    box = handler.locator('.span').bounding_box()
    assert box is not None
    assert box['width'] >= 3


def test_failed_traces_can_be_chosen(open_page: Open) -> None:
    page = open_page('#/call/mail.send')
    call(page, to='nobody')
    page.get_by_role('navigation').get_by_role('link', name='Traces').click()
    page.get_by_label('only failed').check()
    failed = page.get_by_role('row').filter(has_text='rpc mail.send').first
    expect(failed).to_be_visible()
    expect(page.get_by_role('row').filter(has_text='mail.confirm')).to_have_count(0)


def test_trace_that_nobody_knows_is_told(open_page: Open) -> None:
    page = open_page('#/traces')
    page.get_by_label('Open a trace by its id').fill('0123456789abcdef')
    page.keyboard.press('Enter')
    expect(page.get_by_role('heading', name='Not known')).to_be_visible()
