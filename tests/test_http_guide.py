"""The examples of docs/http.md do what the guide says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from werkzeug.test import Client

from lymph.config import ConfigurationError
from lymph.core.container import ServiceContainer
from lymph.core.settings import ContainerSettings
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.null import NullEventSystem
from lymph.web._options.collected import KEYS

GUIDE = (Path(__file__).parents[1] / 'docs' / 'http.md').read_text()
BLOCKS = re.findall(r'^```python\n(.*?)^```', GUIDE, re.MULTILINE | re.DOTALL)
SECTIONS = [
    section
    for block in re.findall(r'^```yaml\n(.*?)^```', GUIDE, re.MULTILINE | re.DOTALL)
    for section in yaml.safe_load(block)['interfaces'].values()
]
TABLES = {
    name: re.findall(r'^\| `(\w+)` \|', rows, re.MULTILINE)
    for name, rows in re.findall(r'^\| key of `(\w+)` .+\n((?:\|.+\n)+)', GUIDE, re.MULTILINE)
}


@pytest.fixture(scope='module')
def names() -> dict[str, Any]:
    """The names that the blocks define, one after another."""
    found: dict[str, Any] = {'__name__': 'http_guide'}
    for block in BLOCKS:
        exec(compile(block, 'http.md', 'exec', dont_inherit=True), found)
    return found


@pytest.fixture
def client(names: dict[str, Any]) -> Iterator[Any]:
    """Return a function that makes a client for an interface of the guide."""
    container = ServiceContainer(
        MemoryTransport(network=MemoryNetwork()),
        StaticServiceRegistryHub().create_registry(),
        NullEventSystem(),
        ContainerSettings(),
    )

    def client(name: str, **section: Any) -> Client:
        interface = container.install_interface(names[name], name.lower(), None, section)
        return Client(interface.application)

    yield client
    container.stop()


def test_pages_of_the_first_example_are_answered(client):
    library = client('Library')
    assert library.get('/').text == '/books/1'
    assert library.get('/search/mm').text == 'Emma'
    assert library.post('/search/mm').status_code == 405
    assert library.get('/books/1').text == 'Emma'
    answer = library.put('/books/2', data='Persuasion')
    assert (answer.status_code, answer.location) == (204, '/books/2')
    assert library.get('/books/2').text == 'Persuasion'
    assert library.get('/books/3').json['message'] == 'no book 3'
    assert library.options('/books/1').headers['Allow'] == 'GET, HEAD, PUT, OPTIONS'


def test_subclass_has_the_rules_of_its_base_and_its_own(client):
    archive = client('Archive')
    assert archive.get('/old').text == 'before 1900'
    assert archive.get('/search/mm').text == 'Emma'


def test_values_become_responses(client):
    shelf = client('Shelf')
    assert shelf.get('/').json == {'books': ['Emma']}
    answer = shelf.post('/', data={'title': 'Persuasion'})
    assert (answer.status_code, answer.mimetype) == (201, 'text/html')
    assert answer.text == '<p>2 books</p>'


def test_errors_are_answered_by_handlers(client):
    counter = client('Counter')
    answer = counter.get('/lend/Emma')
    assert (answer.status_code, answer.json) == (409, {'reason': 'Ada has it'})
    answer = counter.get('/lend/<b>')
    assert (answer.status_code, answer.text) == (404, '<h1>404</h1><p>no &lt;b&gt;</p>')
    answer = counter.get('/broken')
    assert (answer.status_code, 'division' in answer.text) == (500, False)
    assert answer.text.startswith('<h1>500</h1>')
    answer = counter.put('/lend/Emma', data='x' * 2**25)
    assert (answer.status_code, answer.json['title']) == (413, 'Request Entity Too Large')


def test_middleware_answers_for_static_files(client, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[1])
    site = client('Site')
    assert [site.get('/').text, site.get('/').text] == ['welcome', 'welcome back']
    assert site.get('/static/guestbook.css').mimetype == 'text/css'


@pytest.mark.parametrize('section', SECTIONS, ids=lambda section: '-'.join(section))
def test_sections_of_the_guide_are_accepted_and_have_no_unknown_key(client, section):
    assert section.keys() - {'class'} <= set(KEYS)
    client('Shelf', **{key: value for key, value in section.items() if key != 'class'})


@pytest.mark.parametrize('name', TABLES)
def test_tables_of_the_guide_have_all_keys_of_their_sections(client, name):
    with pytest.raises(ConfigurationError, match='unknown option') as caught:
        client('Shelf', **{name: {'unknown': 1}})
    (listed,) = re.findall(r'there are: (.*?)\)', str(caught.value))
    assert sorted(TABLES[name]) == listed.split(', ')
