"""The logs of all instances, as they are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

Open = Callable[..., Page]


def test_lines_appear_as_they_are_written(open_page: Open, calling: Any) -> None:
    page = open_page('#/logs')
    expect(page.get_by_role('status').filter(has_text='Following')).to_contain_text(
        'Following 1 instance; 1 publish no log: set container.log_endpoint there'
    )
    calling(page, 'mail.send', to='ada', text='hello')
    line = page.get_by_role('listitem').filter(has_text='mail to ada: hello').first
    expect(line).to_contain_text('mail, stock')
    expect(line).to_contain_text('INFO')
    line.get_by_role('link', name='trace').click()
    expect(page.get_by_role('heading', level=1)).to_contain_text('Trace')
    expect(page.get_by_role('table')).to_contain_text('mail.send')


def test_log_is_paused_filtered_and_cleared(open_page: Open, calling: Any) -> None:
    page = open_page('#/logs')
    calling(page, 'mail.send', to='bob')
    lines = page.locator('.log .line:not([hidden])')
    expect(lines.filter(has_text='mail to bob').first).to_be_visible()
    page.get_by_role('heading', level=1).focus()
    page.keyboard.press('p')
    expect(page.get_by_role('button', name='Go on')).to_have_attribute('aria-pressed', 'true')
    expect(page.get_by_text('lines waiting')).to_be_visible()
    page.get_by_role('button', name='Clear').click()
    expect(lines).to_have_count(0)
    page.keyboard.press('p')
    expect(lines.first).to_be_visible()
    page.get_by_label('Filter lines').fill('nothing like that')
    expect(lines).to_have_count(0)
    page.get_by_label('Filter lines').fill('bob')
    expect(lines.first).to_contain_text('bob')
    page.get_by_label('Filter lines').fill('')
    page.get_by_label('Level').select_option('error')
    expect(lines).to_have_count(0)
    page.get_by_label('Level').select_option('info')
    expect(lines.first).to_be_visible()
