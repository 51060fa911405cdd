"""The guest book of examples/: sessions, uploads and static files over a real connection."""

from __future__ import annotations

import http.client
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from werkzeug.test import EnvironBuilder

ROOT = Path(__file__).parents[1]
LYMPH = Path(sys.executable).parent / 'lymph'
PNG = b'\x89PNG' + b'0123456789' * 10


class Browser:
    """Sends requests over one connection, and keeps the cookie that it gets."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection('127.0.0.1', port, timeout=30)
        self.cookie: str | None = None

    def ask(self, path, data=None, **headers):
        body = None
        if data is not None:
            environ = EnvironBuilder(method='POST', data=data).get_environ()
            body = environ['wsgi.input'].read()
            headers['Content-Type'] = environ['CONTENT_TYPE']
        if self.cookie is not None:
            headers['Cookie'] = f'session={self.cookie}'
        fields = {name.replace('_', '-'): value for name, value in headers.items()}
        self.connection.request('GET' if data is None else 'POST', path, body, fields)
        answer = self.connection.getresponse()
        answer.body = answer.read()
        found = re.match(r'session=([^;]*)', answer.getheader('Set-Cookie', ''))
        if found:
            self.cookie = found[1] or None
        return answer


@pytest.fixture(scope='module')
def port(tmp_path_factory):
    """The port of a running guest book."""
    folder = tmp_path_factory.mktemp('guestbook')
    config = (ROOT / 'examples' / 'conf' / 'guestbook.yml').read_text()
    (folder / 'guestbook.yml').write_text(
        config.replace('port: 8080', 'port: 0').replace('2000000', '5000')
        + 'container: {registry: {class: static}, events: {class: "null"}}\n'
    )
    process = subprocess.Popen(
        [LYMPH, 'instance', '--config=guestbook.yml'],
        cwd=folder,
        env={'PYTHONPATH': str(ROOT / 'examples'), 'HOME': str(folder)},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for line in process.stderr:
            found = re.search(r'http://127\.0\.0\.1:(\d+)', line)
            if found:
                yield int(found[1])
                break
    finally:
        process.terminate()
        rest = process.stderr.read()
        assert process.wait(30) == 0, rest


@pytest.fixture
def browser(port):
    browser = Browser(port)
    yield browser
    browser.connection.close()


def test_name_is_kept_in_a_cookie_that_cannot_be_changed(browser):
    assert b'Your name' in browser.ask('/').body
    answer = browser.ask('/sign-in', {'name': '<Ada>'})
    assert (answer.status, answer.getheader('Location')) == (303, '/')
    assert 'HttpOnly' in answer.getheader('Set-Cookie')
    assert b'&lt;Ada&gt; writes' in browser.ask('/').body
    kept = browser.cookie
    browser.cookie = 'x' + kept
    assert b'Your name' in browser.ask('/').body
    browser.cookie = kept
    browser.ask('/sign-out', {'leave': 'yes'})
    assert b'Your name' in browser.ask('/').body


def test_form_with_a_photo_adds_an_entry(browser):
    assert browser.ask('/', {'text': 'hello'}).status == 403
    browser.ask('/sign-in', {'name': 'Ada'})
    refused = browser.ask('/', {'text': 'a', 'photo': (io.BytesIO(b'GIF8'), 'a.png')})
    assert (refused.status, b'A photo is one of' in refused.body) == (415, True)
    too_long = browser.ask('/', {'text': 'a', 'photo': (io.BytesIO(PNG * 60), 'a.png')})
    assert too_long.status == 413
    browser.connection.close()
    assert browser.ask('/', {'text': 'x' * 100, 'photo': (io.BytesIO(PNG), 'a.PNG')}).status == 303
    page = browser.ask('/').body.decode()
    (photo,) = re.findall(r'src=(photos/[\w.]+)', page)
    answer = browser.ask(f'/{photo}')
    assert (answer.body, answer.getheader('Content-Type')) == (PNG, 'image/png')
    part = browser.ask(f'/{photo}', Range='bytes=4-13')
    assert (part.status, part.body) == (206, b'0123456789')
    assert part.getheader('Content-Range') == f'bytes 4-13/{len(PNG)}'
    assert browser.ask(f'/{photo}', Range='bytes=500-').status == 416
    assert browser.ask(f'/{photo}', If_None_Match=answer.getheader('ETag')).status == 304


def test_static_files_are_sent_from_their_folder_only(browser):
    answer = browser.ask('/static/guestbook.css')
    assert (answer.status, answer.getheader('Content-Type')) == (200, 'text/css; charset=utf-8')
    assert answer.body == (ROOT / 'examples' / 'static' / 'guestbook.css').read_bytes()
    assert 'max-age=60' in answer.getheader('Cache-Control')
    missing = browser.ask('/static/../guestbook.py')
    assert (missing.status, json.loads(missing.body)['title']) == (404, 'Not Found')
    assert browser.ask('/static/%2e%2e/guestbook.py').status == 404
