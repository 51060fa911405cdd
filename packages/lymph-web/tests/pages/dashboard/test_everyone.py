"""The dashboard for everyone: colors, names of controls, small screens, keys, failures."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

Open = Callable[..., Page]

#: addresses, and what is there when the view is complete
VIEWS = {
    '#/': '[data-title=Rate] .value',
    '#/services/mail': 'table[aria-label=Methods] tbody tr',
    '#/call': '.methods a',
    '#/call/shop.order': 'form.form',
    '#/queues': 'table tbody tr',
    '#/dead-letters': '.letters li, .notice',
    '#/logs': '.log',
    '#/traces': 'table tbody tr',
}
CONTROLS = {'button', 'checkbox', 'combobox', 'link', 'radio', 'searchbox', 'textbox', 'img'}


def show(page: Page, address: str) -> None:
    page.evaluate('address => { location.hash = address }', address)
    expect(page.locator(VIEWS[address]).first).to_be_visible()


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_text_can_be_read_in_light_and_dark(
    open_page: Open, contrasts: Callable[[Page], list[str]], scheme: str
) -> None:
    page = open_page(color_scheme=scheme)
    for address in VIEWS:
        show(page, address)
        assert contrasts(page) == [], address
    back = page.evaluate('getComputedStyle(document.body).backgroundColor')
    assert (back == 'rgb(255, 255, 255)') == (scheme == 'light')


def test_colors_can_be_chosen_and_stay_chosen(open_page: Open) -> None:
    page = open_page(color_scheme='light')
    page.get_by_label('Colors').select_option('dark')
    expect(page.locator('body')).to_have_css('background-color', 'rgb(21, 24, 29)')
    page.reload()
    expect(page.get_by_label('Colors')).to_have_value('dark')
    expect(page.locator('body')).to_have_css('background-color', 'rgb(21, 24, 29)')
    page.get_by_label('Colors').select_option('system')
    expect(page.locator('body')).to_have_css('background-color', 'rgb(255, 255, 255)')


def test_all_controls_have_names_and_the_page_has_landmarks(
    open_page: Open, accessibility: Callable[[Page], list[tuple[str, str]]]
) -> None:
    page = open_page()
    for address in VIEWS:
        show(page, address)
        found = accessibility(page)
        assert [role for role, name in found if role in CONTROLS and not name] == [], address
        assert {'banner', 'navigation', 'main', 'status', 'heading'} <= {each for each, _ in found}
        assert page.locator('h1').count() == 1


@pytest.mark.parametrize('width', [360, 800])
def test_small_screens_show_everything_without_scrolling_sideways(
    open_page: Open, width: int
) -> None:
    page = open_page(viewport={'width': width, 'height': 640})
    for address in VIEWS:
        show(page, address)
        assert page.evaluate('document.documentElement.scrollWidth') <= width, address
        # rows are cards, and assistive technology still sees a table
        if address == '#/':
            expect(page.get_by_role('table', name='Services')).to_be_visible()
            expect(page.get_by_role('cell', name='0/s').first).to_be_visible()


def test_each_stop_of_the_tab_key_shows_that_it_has_the_focus(open_page: Open) -> None:
    page = open_page()
    show(page, '#/')
    seen = []
    for _ in range(40):
        page.keyboard.press('Tab')
        facts = page.evaluate(
            """() => {
              const it = document.activeElement;
              const style = getComputedStyle(it);
              return [it.tagName, style.outlineStyle !== 'none' && style.outlineWidth !== '0px'];
            }"""
        )
        if facts[0] == 'BODY':
            break
        seen.append(facts)
    assert len(seen) > 12
    assert [tag for tag, shown in seen if not shown] == []


def test_everything_is_done_with_keys_alone(open_page: Open) -> None:
    page = open_page()
    show(page, '#/')
    press = page.keyboard.press
    press('?')
    expect(page.get_by_role('dialog', name='Keys')).to_be_visible()
    press('Escape')
    expect(page.get_by_role('dialog')).to_have_count(0)
    press('2')
    expect(page.get_by_role('heading', level=1)).to_be_focused()
    expect(page.locator('.methods a').first).to_be_visible()
    press('/')
    page.keyboard.type('echo.upper')
    for _ in range(5):
        press('Tab')
        if page.evaluate('document.activeElement.textContent') == 'upper':
            break
    press('Enter')
    expect(page.get_by_label('text', exact=True)).to_be_visible()
    page.get_by_label('text', exact=True).focus()
    page.keyboard.type('1 2')  # digits are text here
    press('Control+Enter')
    expect(page.locator('.answer .code')).to_have_text('"1 2"')


def test_single_keys_can_be_switched_off(open_page: Open) -> None:
    page = open_page()
    show(page, '#/')
    page.get_by_role('button', name='Keys').click()
    page.get_by_label('single keys do something').uncheck()
    page.get_by_role('button', name='Close').click()
    page.keyboard.press('2')
    page.wait_for_timeout(100)
    expect(page.get_by_role('heading', level=1)).to_have_text('Services')
    page.get_by_role('button', name='Keys').click()
    page.get_by_label('single keys do something').check()
    page.get_by_role('button', name='Close').click()
    page.keyboard.press('3')
    expect(page.get_by_role('heading', level=1)).to_have_text('Queues')


def test_nothing_moves_for_those_who_ask_for_that(open_page: Open) -> None:
    page = open_page(reduced_motion='reduce')
    show(page, '#/')
    line = page.locator('[data-title=Rate] path.line').first
    before = line.get_attribute('d') or ''
    expect(line).not_to_have_attribute('d', before)
    assert page.evaluate('document.getAnimations().length') == 0


def test_charts_slide_as_time_goes_on(open_page: Open) -> None:
    page = open_page(reduced_motion='no-preference')
    show(page, '#/')
    for _ in range(400):
        if page.evaluate('document.getAnimations().length'):
            return
        page.wait_for_timeout(50)
    pytest.fail('no chart slides')


def test_focus_stays_where_it_is_while_figures_change(open_page: Open) -> None:
    page = open_page()
    link = page.get_by_role('link', name='shop', exact=True)
    link.focus()
    line = page.locator('[data-title=Rate] path.line').first
    before = line.get_attribute('d') or ''
    expect(line).not_to_have_attribute('d', before)
    expect(link).to_be_focused()


def test_browser_without_the_token_is_asked_for_it(open_page: Open, dashboard: str) -> None:
    home = f'http://{urlsplit(dashboard).netloc}/'
    page = open_page(url=home, prepare=lambda page: page.context.clear_cookies())
    expect(page.get_by_role('heading', level=1)).to_have_text('This dashboard wants its token')
    page.get_by_label('Token').fill('not-the-token-at-all')
    page.keyboard.press('Enter')
    expect(page.get_by_role('main').get_by_role('alert')).to_contain_text('not the token')
    page.get_by_label('Token').fill(dashboard)
    page.keyboard.press('Enter')
    expect(page.get_by_role('heading', level=1)).to_have_text('Services')
    expect(page.get_by_role('link', name='shop', exact=True)).to_be_visible()
    assert 'token' not in page.url


def test_token_does_not_stay_in_the_address(open_page: Open) -> None:
    page = open_page()
    expect(page.locator('#state')).to_have_text('Live')
    assert 'token' not in page.url


def test_lost_connection_is_told_and_made_again(
    open_page: Open, desk: Any, start_dashboard: Callable[..., str]
) -> None:
    url = start_dashboard('lost')
    page = open_page(url=url)
    expect(page.locator('#state')).to_have_text('Live')
    desk.end('lost')
    expect(page.get_by_role('alert').first).to_contain_text('is lost')
    # another one at its port, which wants a token of its own
    desk.run('again', 'dashboard', '--port', str(urlsplit(url).port))
    expect(page.get_by_role('heading', level=1)).to_have_text('This dashboard wants its token')
    page.get_by_label('Token').fill(desk.said('again', 'http://').partition('token=')[2][:32])
    page.keyboard.press('Enter')
    expect(page.locator('#state')).to_have_text('Live')


def test_registry_without_services_tells_how_to_start_one(
    open_page: Open, new_services: Callable[[], Any]
) -> None:
    alone = new_services()
    alone.run('alone', 'dashboard', '--port', '0')
    found = re.search(r'http://\S+', alone.said('alone', 'http://'))
    assert found is not None
    page = open_page(url=found[0])
    expect(page.get_by_role('heading', name='No services are running')).to_be_visible()
    expect(page.get_by_role('main')).to_contain_text('lymph instance -c')
