"""Queues, and dead letters that are looked at, replayed and dropped."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

Open = Callable[..., Page]
QUEUE = 'mail.on_ordered'


@pytest.fixture
def order(desk: Any) -> Callable[[str], None]:
    """Return a function that orders an article; what is `broken` becomes a dead letter."""

    def order(article: str) -> None:
        desk.finish(['request', 'shop.order', f'article={article}'])

    return order


def test_queues_lead_to_their_dead_letters(open_page: Open, order: Any) -> None:
    order('broken')
    page = open_page('#/queues')
    row = page.get_by_role('row').filter(has_text=QUEUE)
    expect(row.locator('[data-title=Consumers]')).to_have_text('1')
    expect(row.get_by_role('img')).to_have_attribute('aria-label', re.compile('^Waiting in'))
    row.get_by_role('link').click()
    expect(page.get_by_role('combobox', name='Queue')).to_have_value(QUEUE)
    letter = page.get_by_role('listitem').first
    expect(letter).to_contain_text('has no address')
    letter.get_by_text('Payload').click()
    expect(letter.get_by_role('region')).to_contain_text('"article": "broken"')


def test_dead_letter_is_replayed_and_handled_again(open_page: Open, order: Any) -> None:
    order('broken')
    page = open_page(f'#/dead-letters/{QUEUE}')
    letters = page.get_by_role('listitem')
    expect(letters.first).to_be_visible()
    before = letters.first.locator('time').get_attribute('datetime')
    letters.first.get_by_role('button', name='Replay').click()
    expect(page.get_by_role('status').filter(has_text='1 replayed.')).to_be_visible()
    again = page.get_by_role('button', name='Ask again')
    for _ in range(200):
        again.click()
        page.wait_for_timeout(100)
        times = [each.get_attribute('datetime') for each in letters.locator('time').all()]
        if times and before not in times:
            break
    assert before not in times


def test_dead_letters_are_dropped_only_when_that_is_confirmed(open_page: Open, order: Any) -> None:
    order('broken')
    page = open_page(f'#/dead-letters/{QUEUE}')
    letters = page.get_by_role('listitem')
    expect(letters.first).to_be_visible()
    count = letters.count()
    letters.first.get_by_role('button', name='Drop').click()
    dialog = page.get_by_role('dialog')
    expect(dialog).to_contain_text(f'Drop shop.ordered of {QUEUE} for good?')
    page.keyboard.press('Escape')
    expect(dialog).to_have_count(0)
    expect(letters).to_have_count(count)
    page.get_by_role('button', name=f'Drop all of {QUEUE}').click()
    dialog.get_by_role('button', name='Drop all').click()
    expect(page.get_by_role('status').filter(has_text='dropped.')).to_be_visible()
    expect(page.get_by_role('heading', name='None')).to_be_visible()


def test_dashboard_for_reading_only_has_no_buttons_for_dead_letters(
    open_page: Open, order: Any, reading: str
) -> None:
    order('broken')
    page = open_page(f'#/dead-letters/{QUEUE}', url=reading)
    expect(page.get_by_role('listitem').first).to_contain_text('has no address')
    expect(page.get_by_role('button', name=re.compile('Drop|Replay'))).to_have_count(0)
