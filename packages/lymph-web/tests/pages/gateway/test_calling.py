"""Calling methods from the page: what is sent, and how the answer is shown."""

from __future__ import annotations

import json
import re
import shlex
import urllib.request
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

Open = Callable[..., Page]


def answer(page: Page) -> str:
    """The content of the answer."""
    return page.locator('.answer .code').inner_text()


def test_call_by_mouse_shows_status_time_trace_and_result(open_page: Open) -> None:
    page = open_page('#echo.upper')
    page.get_by_label('text', exact=True).fill('foo')
    page.get_by_role('button', name='Send').click()
    expect(page.locator('.outcome')).to_have_text(re.compile(r'^200 OK [\d.]+ m?s · \d+ bytes$'))
    assert answer(page) == '"FOO"'
    expect(page.locator('.trace code')).to_have_text(re.compile('^[0-9a-f]{32}$'))


def test_call_by_keyboard_alone(open_page: Open) -> None:
    page = open_page()
    expect(page.locator('#list')).to_contain_text('upper')
    press = page.keyboard.press
    press('/')
    page.keyboard.type('upper')
    press('Enter')
    expect(page.get_by_role('heading', level=1)).to_be_focused()
    for _ in range(10):
        press('Tab')
        if page.evaluate('document.activeElement.labels?.[0]?.textContent') == 'text':
            break
    page.keyboard.type('foo')
    press('Control+Enter')
    status = page.get_by_role('status').filter(has_text='Answer: 200')
    expect(status).to_have_count(1)
    assert answer(page) == '"FOO"'


def test_fields_of_objects_are_sent_as_objects_and_json_keeps_what_was_typed(
    open_page: Open,
) -> None:
    page = open_page('#shop.total')
    page.get_by_label('id', exact=True).fill('7')
    page.get_by_label('lines', exact=True).fill('[{"article": "sock", "price": 2.5, "count": 2}]')
    page.get_by_label('day', exact=True).fill('2026-02-19')
    page.get_by_label('colour', exact=True).select_option('blue')
    page.get_by_role('radio', name='JSON').check()
    editor = page.get_by_label('Arguments as a JSON object')
    order = {
        'id': 7,
        'lines': [{'article': 'sock', 'price': 2.5, 'count': 2}],
        'day': '2026-02-19',
        'colour': 'blue',
    }
    assert json.loads(editor.input_value()) == {'order': order}
    editor.fill(json.dumps({'order': {**order, 'id': 8}, 'discount': 0.5}))
    page.get_by_role('radio', name='Fields').click()
    expect(page.get_by_label('id', exact=True)).to_have_value('8')
    expect(page.get_by_label('discount', exact=True)).to_have_value('0.5')
    page.get_by_role('button', name='Send').click()
    expect(page.locator('.answer .code')).to_have_text('2.5')


def test_arguments_that_fields_cannot_show_stay_json(open_page: Open) -> None:
    page = open_page('#echo.upper')
    page.get_by_role('radio', name='JSON').check()
    editor = page.get_by_label('Arguments as a JSON object')
    for text, problem in [
        ('{"text": 5}', 'The fields cannot show these arguments'),
        ('{"text": "a",\n "text": "b"}', 'line 2, column 2: expected each key once'),
    ]:
        editor.fill(text)
        page.get_by_role('radio', name='Fields').click()
        expect(page.get_by_role('alert').filter(has_text=problem)).to_be_visible()
        expect(editor).to_have_value(text)


def test_numbers_keep_all_digits_on_the_way_there_and_back(open_page: Open) -> None:
    page = open_page('#echo.echo')
    page.get_by_label('value', exact=True).fill('[12345678901234567, 0.10]')
    page.get_by_role('button', name='Send').click()
    expect(page.locator('.answer .code')).to_contain_text('12345678901234567')


def test_any_value_may_be_text_without_quotes(open_page: Open) -> None:
    page = open_page('#echo.echo')
    field = page.get_by_label('value', exact=True)
    for typed, sent in [('foo', '"foo"'), ('"5"', '"5"'), ('5', '5'), ('null', 'null')]:
        field.fill(typed)
        page.get_by_role('button', name='Send').click()
        expect(page.locator('.answer .code')).to_have_text(sent)


def test_mistakes_are_told_at_the_field_before_anything_is_sent(open_page: Open) -> None:
    page = open_page('#shop.total')
    identity = page.get_by_label('id', exact=True)
    page.get_by_role('button', name='Send').click()
    expect(identity).to_be_focused()
    expect(identity).to_have_attribute('aria-invalid', 'true')
    identity.fill('seven')
    identity.press('Enter')
    expect(identity).to_have_accessible_description(re.compile('Expected a number'))
    identity.fill('7')
    expect(identity).not_to_have_attribute('aria-invalid', 'true')
    expect(page.locator('.answer')).to_be_empty()


def test_refused_arguments_are_told_at_their_field_and_that_nothing_ran(open_page: Open) -> None:
    page = open_page('#shop.total')
    page.get_by_label('id', exact=True).fill('7')
    lines = page.get_by_label('lines', exact=True)
    lines.fill('[{"article": "sock", "price": "2"}]')
    page.get_by_role('button', name='Send').click()
    problem = page.locator('.problem')
    expect(problem.get_by_role('heading')).to_contain_text('order.lines[0].price')
    expect(problem).to_contain_text('The method did not run.')
    expect(lines).to_have_attribute('aria-invalid', 'true')


def test_declared_error_is_shown_with_its_type_and_that_the_method_ran(open_page: Open) -> None:
    page = open_page('#shop.order')
    page.get_by_label('article', exact=True).fill('glove')
    page.get_by_role('button', name='Send').click()
    problem = page.locator('.problem')
    expect(problem.get_by_role('heading')).to_have_text('ValueError: gloves are sold out')
    expect(problem).to_contain_text('The method ran.')
    expect(page.locator('.outcome')).to_contain_text('422')


def test_deadline_ends_a_call_and_the_page_says_whether_it_ran(open_page: Open) -> None:
    page = open_page('#echo.slow')
    page.get_by_label('seconds', exact=True).fill('30')
    page.locator('summary', has_text='Options').click()
    page.get_by_label('Deadline').fill('0.3')
    page.get_by_role('button', name='Send').click()
    expect(page.locator('.outcome')).to_contain_text('504')
    # on a busy machine, no time may be left to make the call
    told = re.compile(r'The method (may have run|did not run)\.')
    expect(page.locator('.problem')).to_contain_text(told)


def test_call_can_be_cancelled(open_page: Open) -> None:
    page = open_page('#echo.slow')
    page.get_by_label('seconds', exact=True).fill('30')
    page.get_by_role('button', name='Send').click()
    expect(page.get_by_role('button', name='Waiting…')).to_be_disabled()
    page.get_by_role('button', name='Cancel').click()
    expect(page.locator('.problem')).to_contain_text('The method may have run')
    expect(page.get_by_role('button', name='Send')).to_be_enabled()
    expect(page.get_by_role('button', name='Send')).to_be_focused()


def test_same_idempotency_key_shows_the_first_answer_again(open_page: Open) -> None:
    page = open_page('#shop.order')
    page.get_by_label('article', exact=True).fill('sock')
    page.locator('summary', has_text='Options').click()
    page.get_by_role('button', name='New key').click()
    page.get_by_role('button', name='Send').click()
    expect(page.locator('.outcome')).to_contain_text('200 OK')
    first = answer(page)
    page.get_by_role('button', name='Send').click()
    expect(page.locator('.outcome')).to_contain_text('repeated')
    assert answer(page) == first
    page.get_by_role('button', name='New key').click()
    page.get_by_role('button', name='Send').click()
    expect(page.locator('.outcome')).not_to_contain_text('repeated')
    assert answer(page) != first


def test_command_sends_the_same_call(open_page: Open) -> None:
    page = open_page('#echo.upper')
    page.get_by_label('text', exact=True).fill("it's $HOME\n`x`")
    page.locator('summary', has_text='Options').click()
    page.get_by_label('Deadline').fill('5')
    page.get_by_text('As a command').click()
    command = page.get_by_label('Command for a shell')
    expect(command).to_contain_text('curl')
    words = shlex.split(command.inner_text())
    assert (words[0], words[2::2]) == ('curl', ['-H', '-H', '--data-raw'])
    fields = dict(each.split(': ', 1) for each in words[3:-2:2])
    assert fields['X-Request-Timeout'] == '5'
    request = urllib.request.Request(words[1], words[-1].encode(), fields)
    with urllib.request.urlopen(request) as reply:
        assert json.load(reply) == "IT'S $HOME\n`X`"


def test_forms_keep_what_was_typed_while_others_are_looked_at(open_page: Open) -> None:
    page = open_page('#echo.upper')
    page.get_by_label('text', exact=True).fill('foo')
    page.locator('#list').get_by_role('link', name='slow').click()
    expect(page.get_by_role('heading', level=1)).to_have_text('echo.slow')
    page.go_back()
    expect(page.get_by_label('text', exact=True)).to_have_value('foo')


def test_method_without_arguments_is_called_as_it_is(open_page: Open) -> None:
    page = open_page('#echo.nothing')
    expect(page.get_by_text('It takes no arguments.')).to_be_visible()
    page.get_by_role('button', name='Send').click()
    expect(page.locator('.answer .code')).to_have_text('null')


def test_call_says_that_it_did_not_run_when_its_service_is_gone(
    open_page: Open, services: Any
) -> None:
    page = open_page('#stock.count')
    page.get_by_label('article', exact=True).fill('sock')
    page.get_by_role('button', name='Send').click()
    expect(page.locator('.answer .code')).to_have_text('4')
    services.end('stock')
    page.get_by_role('button', name='Send').click()
    expect(page.locator('.outcome')).to_contain_text('503')
    expect(page.locator('.problem')).to_contain_text('The method did not run. Try again in 1 s.')
