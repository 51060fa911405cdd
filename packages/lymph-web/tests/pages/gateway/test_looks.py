"""The page for everyone: colors, names of controls, headings, small screens, prefixes, failures."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

Open = Callable[..., Page]
COUNT = re.compile(r'^\d+ methods$')

CONTROLS = {'button', 'checkbox', 'combobox', 'link', 'radio', 'searchbox', 'textbox'}


def document_of(answer: Any) -> Callable[[Page], None]:
    """Return what makes a page get another document than the gateway's."""

    def prepare(page: Page) -> None:
        page.route('**/openapi.json', answer)

    return prepare


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_text_can_be_read_in_light_and_dark(
    open_page: Open, contrasts: Callable[[Page], list[str]], scheme: str
) -> None:
    page = open_page('#shop.order', color_scheme=scheme)
    page.get_by_label('article', exact=True).fill('glove')
    page.get_by_role('button', name='Send').click()
    expect(page.locator('.problem')).to_be_visible()
    for summary in page.locator('main summary').all():
        summary.click()
    assert contrasts(page) == []
    back = page.evaluate('getComputedStyle(document.body).backgroundColor')
    assert (back == 'rgb(255, 255, 255)') == (scheme == 'light')


def test_all_controls_have_names_and_the_page_has_landmarks(
    open_page: Open, accessibility: Callable[[Page], list[tuple[str, str]]]
) -> None:
    page = open_page('#shop.total')
    page.get_by_label('id', exact=True).fill('1')
    page.get_by_role('button', name='Send').click()
    expect(page.locator('.outcome')).to_be_visible()
    found = accessibility(page)
    assert [role for role, name in found if role in CONTROLS and not name] == []
    roles = {role for role, _ in found}
    assert {'banner', 'navigation', 'main', 'search', 'status', 'heading'} <= roles
    assert page.locator('h1').count() == 1


def test_each_stop_of_the_tab_key_shows_that_it_has_the_focus(open_page: Open) -> None:
    page = open_page('#echo.upper')
    expect(page.get_by_role('heading', level=1)).to_have_text('echo.upper')
    seen = []
    for _ in range(40):
        page.keyboard.press('Tab')
        facts = page.evaluate(
            """() => {
              const it = document.activeElement;
              const shown = it.matches('.modes input') ? it.nextElementSibling : it;
              const style = getComputedStyle(shown);
              return [it.tagName, style.outlineStyle !== 'none' && style.outlineWidth !== '0px'];
            }"""
        )
        if facts[0] == 'BODY':
            break
        seen.append(facts)
    assert len(seen) > 10
    assert [tag for tag, shown in seen if not shown] == []


def test_first_stop_skips_the_list(open_page: Open) -> None:
    page = open_page('#echo.upper')
    heading = page.get_by_role('heading', level=1)
    expect(heading).to_have_text('echo.upper')
    page.keyboard.press('Tab')
    page.keyboard.press('Enter')
    expect(heading).to_be_focused()
    assert page.url.endswith('#echo.upper')


def test_small_screens_show_everything_without_scrolling_sideways(open_page: Open) -> None:
    page = open_page('#shop.total', viewport={'width': 320, 'height': 640})
    page.get_by_label('id', exact=True).fill('1')
    page.get_by_role('button', name='Send').click()
    expect(page.locator('.outcome')).to_be_visible()
    assert page.evaluate('document.documentElement.scrollWidth') <= 320
    expect(page.get_by_label('Filter methods')).not_to_be_visible()
    page.get_by_role('button', name='Methods').click()
    page.locator('#list').get_by_role('link', name='upper').click()
    expect(page.get_by_role('heading', level=1)).to_have_text('echo.upper')
    expect(page.get_by_label('Filter methods')).not_to_be_visible()


def test_page_works_behind_a_proxy_that_adds_a_prefix(open_page: Open, gateway: str) -> None:
    home = gateway.replace('/api/', '/some/prefix/api/')

    def proxy(route: Route) -> None:
        answer = route.fetch(url=route.request.url.replace('/some/prefix', ''))
        route.fulfill(response=answer)

    page = open_page(
        '#echo.upper', home=home, prepare=lambda page: page.route('**/some/prefix/**', proxy)
    )
    page.get_by_label('text', exact=True).fill('foo')
    page.get_by_role('button', name='Send').click()
    expect(page.locator('.answer .code')).to_have_text('"FOO"')


def test_gateway_that_cannot_be_reached_is_told_and_asked_again(open_page: Open) -> None:
    answers: list[Callable[[Route], None]] = [
        lambda route: route.abort(),
        lambda route: route.fulfill(status=502, body='bad'),
        lambda route: route.fulfill(body='<html>'),
        lambda route: route.continue_(),
    ]
    page = open_page(prepare=document_of(lambda route: answers.pop(0)(route)))
    alert = page.get_by_role('alert')
    for text in ('did not answer', 'answered 502', 'not an OpenAPI document'):
        expect(alert).to_contain_text(text)
        page.get_by_role('button', name='Try again').click()
    expect(page.locator('#count')).to_have_text(COUNT)


def test_document_without_methods_says_what_to_do(open_page: Open) -> None:
    body = json.dumps({'openapi': '3.1.0', 'info': {'title': 'empty'}, 'paths': {}})
    page = open_page(prepare=document_of(lambda route: route.fulfill(body=body)))
    expect(page.get_by_role('heading', name='No methods')).to_be_visible()
    expect(page.get_by_role('main')).to_contain_text('Start the services')


def test_loading_is_told_until_the_document_is_there(open_page: Open) -> None:
    waiting: list[Route] = []
    page = open_page(prepare=document_of(lambda route: waiting.append(route)))
    expect(page.get_by_text('Loading the methods…')).to_be_visible()
    waiting[0].continue_()
    expect(page.locator('#count')).to_have_text(COUNT)


def test_call_without_an_answer_is_told(open_page: Open) -> None:
    page = open_page(
        '#echo.upper', prepare=lambda page: page.route('**/echo/upper', lambda route: route.abort())
    )
    page.get_by_label('text', exact=True).fill('foo')
    page.get_by_role('button', name='Send').click()
    expect(page.locator('.problem')).to_contain_text('The server did not answer')


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_error_of_an_interface_can_be_read_in_light_and_dark(
    open_page: Open, contrasts: Callable[[Page], list[str]], scheme: str
) -> None:
    page = open_page('missing', color_scheme=scheme)
    expect(page.get_by_role('heading', level=1)).to_have_text('404 Not Found')
    assert contrasts(page) == []
