"""The files of pages: types, caching, and what they forbid a browser."""

from __future__ import annotations

import re
from urllib.parse import urljoin

import pytest
from werkzeug.exceptions import NotFound
from werkzeug.test import Client, EnvironBuilder
from werkzeug.wrappers import Request, Response

from lymph.core.container import ServiceContainer
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.local import LocalEventSystem
from lymph.web._pages.page_files import PageFiles
from lymph.web.gateway import Gateway

PAGE = PageFiles('lymph.web._gateway')
PAGES = {'gateway': PAGE, 'dashboard': PageFiles('lymph.web._dashboard')}

every_page = pytest.mark.parametrize('page', PAGES.values(), ids=PAGES)


def request(path: str = '/', **headers: str) -> Request:
    return Request(EnvironBuilder(path, headers=headers).get_environ())


@every_page
def test_the_page_refers_only_to_files_that_exist_and_only_by_relative_addresses(
    page: PageFiles,
) -> None:
    html = page.index(request()).get_data(as_text=True)
    referred = re.findall(r'\b(?:src|href)="([^"#][^"]*)"', html)
    assert len(referred) > 5
    for address in referred:
        if address != 'openapi.json':  # of a gateway, beside its page
            folder, version, name = address.split('/')
            assert (folder, version) == ('page', page.version)
            assert page.file(request(), version, name).status_code == 200


@every_page
def test_scripts_import_only_files_that_exist_beside_them(page: PageFiles) -> None:
    imported = set()
    pending = {'main.js'}
    while pending:
        name = pending.pop()
        imported.add(name)
        code = page.file(request(), page.version, name).get_data(as_text=True)
        found = re.findall(r"^import .* from '([^']*)';$", code, re.MULTILINE)
        assert all(each.startswith('./') for each in found)
        pending |= {each.removeprefix('./') for each in found} - imported
    assert len(imported) > 5


@every_page
def test_html_has_no_script_style_or_handler_of_its_own(page: PageFiles) -> None:
    html = page.index(request()).get_data(as_text=True)
    assert re.findall(r'<script[^>]*>([^<]+)</script>', html) == []
    assert re.findall(r'<style|\sstyle=|\son[a-z]+=', html) == []


@pytest.mark.parametrize(
    ('name', 'type'),
    [
        ('main.js', 'text/javascript; charset=utf-8'),
        ('colors.css', 'text/css; charset=utf-8'),
        ('icon.svg', 'image/svg+xml'),
    ],
)
def test_each_file_has_its_type_and_is_kept_for_a_year(name: str, type: str) -> None:
    response = PAGE.file(request(), PAGE.version, name)
    assert response.headers['Content-Type'] == type
    assert response.headers['Cache-Control'] == 'public, max-age=31536000, immutable'


def test_page_is_asked_for_each_time_and_sent_only_if_it_has_changed() -> None:
    first = PAGE.index(request())
    assert first.headers['Cache-Control'] == 'no-cache'
    asked = request(**{'If-None-Match': first.headers['ETag']})
    again = PAGE.index(asked)
    assert (again.status_code, [*again.get_app_iter(asked.environ)]) == (304, [])
    other = PAGE.index(request(**{'If-None-Match': '"other"'}))
    assert (other.status_code, other.get_data()) == (200, first.get_data())


def test_a_file_of_another_version_is_not_kept() -> None:
    response = PAGE.file(request(), 'older', 'main.js')
    assert (response.status_code, response.headers['Cache-Control']) == (200, 'no-store')


@pytest.mark.parametrize(
    'name', ['index.html', 'missing.js', '../page_files.py', '', '__init__.py']
)
def test_what_is_not_a_file_of_the_page_is_not_found(name: str) -> None:
    with pytest.raises(NotFound):
        PAGE.file(request(), PAGE.version, name)


@pytest.mark.parametrize(
    'response',
    [
        answer
        for page in PAGES.values()
        for answer in (page.index(request()), page.file(request(), page.version, 'main.js'))
    ],
)
def test_browsers_load_nothing_from_elsewhere_and_show_the_page_in_no_frame(
    response: Response,
) -> None:
    policy = response.headers['Content-Security-Policy'].split('; ')
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'self'" in policy
    assert not re.search(r'unsafe|data:|\*|https?:', response.headers['Content-Security-Policy'])
    assert response.headers['X-Content-Type-Options'] == 'nosniff'
    assert response.headers['Referrer-Policy'] == 'no-referrer'


def client_of_gateway(**config: object) -> Client:
    container = ServiceContainer(
        MemoryTransport(network=MemoryNetwork()),
        StaticServiceRegistryHub().create_registry(),
        LocalEventSystem(),
    )
    gateway = container.install_interface(Gateway, 'api', None, {'allow': ['shop.*'], **config})
    return Client(gateway.application)


def test_page_is_at_the_root_of_a_gateway_also_behind_a_prefix() -> None:
    client = client_of_gateway()
    bare = client.get('/api', base_url='http://inside:8080/prefix')
    assert urljoin('https://outside/prefix/api', bare.location) == 'https://outside/prefix/api/'
    page = client.get('/api/')
    assert (page.status_code, page.mimetype) == (200, 'text/html')
    (script,) = re.findall(r'src="([^"]*)"', page.text)
    assert client.get(f'/api/{script}').mimetype == 'text/javascript'
    assert client.get('/api/page/x/missing.js').status_code == 404
    assert client.post('/api/').status_code == 405


def test_page_can_be_switched_off() -> None:
    client = client_of_gateway(page=False)
    assert client.get('/api/').status_code == 404
    assert client.get(f'/api/page/{PAGE.version}/main.js').status_code == 404
