"""Calling methods from the dashboard, by a form that is made of their schemas."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

Open = Callable[..., Page]


def test_method_is_found_and_called(open_page: Open) -> None:
    page = open_page('#/call')
    page.get_by_label('Filter methods').fill('echo up')
    expect(page.get_by_role('main').get_by_role('listitem').locator('visible=true')).to_have_count(
        1
    )
    page.get_by_role('link', name='upper').click()
    page.get_by_label('text', exact=True).fill('foo')
    page.get_by_role('button', name='Send').click()
    expect(page.locator('.answer .code')).to_have_text('"FOO"')


def test_error_that_a_method_declares_is_shown(open_page: Open) -> None:
    page = open_page('#/call/shop.order')
    page.get_by_label('article', exact=True).fill('glove')
    page.get_by_role('button', name='Send').click()
    expect(page.locator('.problem')).to_contain_text('ValueError: gloves are sold out')


def test_form_keeps_what_was_typed_while_others_are_looked_at(open_page: Open) -> None:
    page = open_page('#/call/echo.upper')
    page.get_by_label('text', exact=True).fill('foo')
    page.get_by_role('link', name='Services').first.click()
    expect(page.get_by_role('heading', level=1)).to_have_text('Services')
    page.go_back()
    expect(page.get_by_label('text', exact=True)).to_have_value('foo')


def test_call_is_shown_as_a_command(open_page: Open) -> None:
    page = open_page('#/call/echo.upper')
    page.get_by_label('text', exact=True).fill("it's")
    page.get_by_text('As a command').click()
    command = page.get_by_label('Command for a shell')
    expect(command).to_have_text("""lymph request echo.upper '{"text": "it'\\''s"}'""")


def test_dashboard_for_reading_only_has_no_form(open_page: Open, reading: str) -> None:
    page = open_page('#/call/echo.upper', url=reading)
    expect(page.get_by_role('heading', name='For reading only')).to_be_visible()
    expect(page.get_by_role('heading', name='echo.upper')).to_be_visible()
    expect(page.get_by_role('button', name='Send')).to_have_count(0)


def test_method_that_is_not_there_is_told(open_page: Open) -> None:
    page = open_page('#/call/echo.nowhere')
    expect(page.get_by_role('heading', name='Not there')).to_be_visible()
