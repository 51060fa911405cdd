"""Defaults of cookies, and durations in debug mode."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.http import dump_cookie
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

import lymph
from lymph.web._options.cookies import CookieDefaults
from lymph.web.interfaces import WebServiceInterface

ALL = {'secure': True, 'httponly': True, 'samesite': 'Lax'}


class Pages(WebServiceInterface):
    url_map = Map([Rule(f'/{name}', endpoint=name) for name in ('page', 'fail')])

    def page(self, request):
        response = Response('')
        response.set_cookie('open', 'a=b')
        response.set_cookie('chosen', '1', samesite='Strict', secure=True, httponly=True)
        response.delete_cookie('old')
        return response

    def fail(self, request):
        raise ValueError


def attributes(cookie):
    return [each.strip() for each in cookie.split(';')[1:]]


def test_cookies_get_the_attributes_that_they_lack(start_interface):
    web = start_interface(Pages, {'cookies': ALL})
    opened, chosen, old = web.client.get('/page').headers.getlist('Set-Cookie')
    assert opened == 'open=a=b; Path=/; Secure; HttpOnly; SameSite=Lax'
    assert sorted(attributes(chosen)) == ['HttpOnly', 'Path=/', 'SameSite=Strict', 'Secure']
    assert {'Secure', 'HttpOnly', 'SameSite=Lax'} < set(attributes(old))
    assert web.ask('/page').headers['set-cookie'].endswith('Secure; HttpOnly; SameSite=Lax')


def test_cookies_are_left_alone_by_default(start_interface):
    for keys in ({}, {'cookies': None}, {'cookies': {'secure': False}}):
        web = start_interface(Pages, keys)
        assert web.client.get('/page').headers.getlist('Set-Cookie')[0] == 'open=a=b; Path=/'


@pytest.mark.parametrize(
    ('cookie', 'completed'),
    [
        ('a=1', 'a=1; Secure; HttpOnly; SameSite=Lax'),
        ('a=secure', 'a=secure; Secure; HttpOnly; SameSite=Lax'),
        ('a=1; SECURE; samesite = none', 'a=1; SECURE; samesite = none; HttpOnly'),
        ('a=1;httponly;Secure;SameSite', 'a=1;httponly;Secure;SameSite'),
        ('', '; Secure; HttpOnly; SameSite=Lax'),
    ],
)
def test_attribute_counts_in_any_spelling(cookie, completed):
    defaults = CookieDefaults(
        (('secure', 'Secure'), ('httponly', 'HttpOnly'), ('samesite', 'SameSite=Lax'))
    )
    assert defaults.complete(cookie) == completed
    assert defaults.complete(completed) == completed


@given(st.text(max_size=20), st.booleans(), st.sampled_from([None, 'Strict', 'Lax']))
def test_any_cookie_of_werkzeug_keeps_its_text(value, secure, samesite):
    cookie = dump_cookie('name', value, secure=secure, samesite=samesite)
    completed = CookieDefaults((('secure', 'Secure'),)).complete(cookie)
    assert completed == cookie if secure else completed == f'{cookie}; Secure'


@pytest.mark.parametrize(
    ('cookies', 'complaint'),
    [
        ({'secure': 'x'}, ".secure: expected true or false, found text 'x'"),
        ({'samesite': 'lax'}, ".samesite: expected Strict or Lax or None, found text 'lax'"),
        ({'samesite': 'None'}, '.samesite: this needs secure: true'),
        ({'samesite': 'None', 'secure': False}, '.samesite: this needs secure: true'),
        ({'same_site': 'Lax'}, '.same_site: '),
        (True, ': '),
        (['secure'], ': '),
    ],
)
def test_invalid_section_is_rejected_at_its_place(start_interface, cookies, complaint):
    with pytest.raises(lymph.ConfigurationError) as caught:
        start_interface(Pages, {'cookies': cookies})
    assert str(caught.value).startswith(f'interfaces.web.cookies{complaint}')


@pytest.mark.parametrize(
    ('path', 'parts'),
    [
        ('/page', ['trace', 'handler', 'total']),
        ('/fail', ['trace', 'handler', 'total']),
        ('/nowhere', ['trace', 'handler', 'total']),
        ('/_health/', ['trace', 'total']),
    ],
)
def test_answers_in_debug_mode_tell_how_long_their_parts_took(start_interface, path, parts):
    web = start_interface(Pages, {'debug': True})
    response = web.client.get(path, headers={'X-Trace-Id': 'a.b:c'})
    said = response.headers['Server-Timing'].split(', ')
    assert said[0] == 'trace;desc="a.b:c"'
    assert [each.partition(';')[0] for each in said] == parts
    assert all(re.fullmatch(r'[a-z]+;dur=[0-9]+\.[0-9]', each) for each in said[1:])
    assert web.ask(path).headers['server-timing'].startswith('trace;desc="')


def test_time_in_the_queue_is_told_if_it_is_known(start_interface):
    client = start_interface(Pages, {'debug': True}).client
    response = client.get('/page', environ_overrides={'lymph.arrived': 0.0})
    assert ', queue;dur=' in response.headers['Server-Timing']


def test_durations_are_not_told_outside_of_debug_mode(start_interface):
    assert 'Server-Timing' not in start_interface(Pages).client.get('/page').headers
