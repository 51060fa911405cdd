"""Finding methods on the page, and what it shows of them."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

Open = Callable[..., Page]
COUNT = re.compile(r'^\d+ methods$')


def names(page: Page) -> list[str]:
    """The methods in the list that can be seen."""
    links = page.locator('#list section a:visible').all()
    return [(each.get_attribute('href') or '').removeprefix('#') for each in links]


def test_interfaces_and_methods_are_listed_with_their_docs(open_page: Open) -> None:
    page = open_page()
    expect(page.locator('#count')).to_have_text(COUNT)
    found = names(page)
    assert found == sorted(found)
    assert {'echo.upper', 'shop.total', 'hostile.attack'} <= set(found)
    expect(page.get_by_role('region', name='shop')).to_contain_text('Find articles by words.')
    expect(page.get_by_role('main')).to_contain_text('Takes orders and adds up prices.')


def test_filter_leaves_the_methods_that_have_all_words(open_page: Open) -> None:
    page = open_page()
    field = page.get_by_label('Filter methods')
    field.fill('shop tot')
    expect(page.locator('#count')).to_have_text(re.compile(r'^1 of \d+ methods$'))
    assert names(page) == ['shop.total']
    field.fill('capital')  # in the docstring
    expect(page.locator('#count')).to_have_text(re.compile(r'^1 of \d+ methods$'))
    field.fill('nonsense')
    expect(page.locator('#count')).to_have_text('No method matches the filter')
    field.press('Escape')
    expect(page.locator('#count')).to_have_text(COUNT)


def test_address_of_a_method_opens_it_and_browsers_go_back(open_page: Open) -> None:
    page = open_page('#shop.total')
    heading = page.get_by_role('heading', level=1)
    expect(heading).to_have_text('shop.total')
    expect(page).to_have_title(re.compile('^shop.total'))
    page.locator('#list').get_by_role('link', name='upper').click()
    expect(heading).to_have_text('echo.upper')
    expect(heading).to_be_focused()
    expect(page.locator('#list [aria-current=page]')).to_have_attribute('href', '#echo.upper')
    page.go_back()
    expect(heading).to_have_text('shop.total')


def test_method_is_shown_with_types_defaults_errors_and_idempotence(open_page: Open) -> None:
    page = open_page('#shop.total')
    expect(page.locator('.signature')).to_have_text(
        'total(order: Order, discount?: number, gross?: boolean) → number'
    )
    expect(page.locator('.badges')).to_have_text('idempotent')
    expect(page.locator('.help')).to_contain_text('The tax is left out unless gross is true:')
    terms = page.locator('.about > section > .fields > div')
    expect(terms.nth(0)).to_contain_text('order Order required')
    expect(terms.nth(2)).to_contain_text('gross boolean optional')
    expect(terms.nth(2)).to_contain_text('default true')
    page.goto(page.url.replace('shop.total', 'shop.order'))
    expect(page.locator('.badges')).to_have_text('not idempotent')
    expect(page.get_by_text('It raises ValueError.')).to_be_visible()
    expect(page.locator('.about')).not_to_contain_text('9223372')  # the bounds of any integer


def test_classes_can_be_opened_as_deep_as_they_go(open_page: Open) -> None:
    page = open_page('#shop.total')
    page.locator('.about summary', has_text='Order').first.click()
    order = page.locator('.about details[open]')
    expect(order).to_contain_text('What a customer orders.')
    expect(order).to_contain_text('lines list of Line optional')
    expect(order).to_contain_text('Order: see above')
    order.locator('summary', has_text='Line').click()
    expect(page.locator('.about details[open] details[open]')).to_contain_text('at least 1')


def test_address_of_an_unknown_method_shows_an_error(open_page: Open) -> None:
    page = open_page('#shop.totl')
    expect(page.get_by_role('heading', level=1)).to_have_text('Not found')
    page.get_by_role('link', name='All methods').click()
    expect(page.get_by_role('heading', level=1)).to_be_focused()


def test_what_services_say_is_text_and_never_html(open_page: Open) -> None:
    page = open_page('#hostile.attack')
    expect(page.locator('.help')).to_contain_text('<img src=x onerror=')
    page.get_by_role('button', name='Send').click()
    expect(page.locator('.answer .code')).to_contain_text('<script>document.title=2</script>')
    assert page.locator('main img, main script').count() == 0
    expect(page).to_have_title(re.compile('hostile.attack'))


def test_slash_goes_to_the_filter_but_is_text_in_a_field(open_page: Open) -> None:
    page = open_page('#echo.upper')
    expect(page.get_by_role('heading', level=1)).to_have_text('echo.upper')
    page.keyboard.press('/')
    field = page.get_by_label('Filter methods')
    expect(field).to_be_focused()
    expect(field).to_have_value('')
    text = page.get_by_label('text', exact=True)
    text.press_sequentially('a/b')
    expect(text).to_have_value('a/b')
    expect(text).to_be_focused()
