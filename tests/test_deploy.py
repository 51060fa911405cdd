"""The dashboard and the alert rules in deploy/ use what exists, and say what they should."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

import lymph
from lymph.config import Configuration
from lymph.core._system.blocking import in_thread
from lymph.core.container import ServiceContainer
from lymph.exceptions import RpcError
from lymph.testing.waiting import eventually
from lymph.web.gateway import Gateway
from lymph.web.interfaces import WebServiceInterface

DEPLOY = Path(__file__).parents[1] / 'deploy'
DASHBOARD = DEPLOY / 'grafana' / 'lymph.json'
RULES = DEPLOY / 'prometheus' / 'lymph.rules.yml'

SELECTOR = re.compile(r'\b((?:lymph|process|python)_\w+|up)\b(?!\s*\()(?:\{([^}]*)\})?')
GROUPED = re.compile(r'\b(?:by|on|without|ignoring)\s*\(([^)]*)\)')
BY = re.compile(r'\bby\s*\(([^)]*)\)')
LABEL = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)')
SHOWN = re.compile(r'\{\{\s*(?:\$labels\.)?(\w+)[^}]*\}\}')
COUNTED = re.compile(r'\b(?:rate|increase)\(\s*(\w+)')
TEXT = re.compile(r'"[^"]*"')


class Expression(NamedTuple):
    """An expression, what it is for, and the texts about its results, such as a legend."""

    where: str
    text: str
    shown: str

    @property
    def selectors(self) -> list[tuple[str, set[str]]]:
        """The series that it reads: names, and the labels that they are chosen by."""
        return [
            (name, set(LABEL.findall(TEXT.sub('""', matchers or ''))))
            for name, matchers in SELECTOR.findall(self.text)
        ]

    @property
    def grouped(self) -> set[str]:
        """The labels by which series are put together."""
        return words(GROUPED.findall(self.text))

    @property
    def left(self) -> set[str] | None:
        """The labels that results have, None if they are those of the series."""
        by = BY.findall(re.split(r'\band\b', self.text)[0])  # what follows only chooses
        return words(by) if by else None

    @property
    def mentioned(self) -> set[str]:
        """The labels that texts about the results mention."""
        return {name for name in SHOWN.findall(self.shown) if name != 'value'}

    @property
    def counters(self) -> list[str]:
        """The names of the series of which it takes the growth."""
        return COUNTED.findall(self.text)


def dashboard() -> dict[str, Any]:
    """Return the dashboard for Grafana."""
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


def panels() -> list[dict[str, Any]]:
    """Return the panels of the dashboard, but not the titles of its rows."""
    return [panel for panel in dashboard()['panels'] if panel['type'] != 'row']


def rules() -> list[dict[str, Any]]:
    """Return the alert rules."""
    return [
        rule for group in yaml.safe_load(RULES.read_text())['groups'] for rule in group['rules']
    ]


def expressions() -> Iterator[Expression]:
    """Yield all expressions of the dashboard and of the rules."""
    for panel in panels():
        for target in panel['targets']:
            yield Expression(panel['title'], target['expr'], target['legendFormat'])
    for rule in rules():
        yield Expression(rule['alert'], rule['expr'], ' '.join(rule['annotations'].values()))


def used() -> set[str]:
    """Return the names of all series that are used."""
    return {name for each in expressions() for name, _ in each.selectors}


def words(lists: list[str]) -> set[str]:
    return {word.strip() for each in lists for word in each.split(',')}


#: what Prometheus itself adds to each series of a target
TARGET = {'job', 'instance'}
#: a line about a metric in docs/metrics.md, which lists those that the sources describe
ROW = re.compile(r'\| `([\w.]+)` \| `(\w+)(\*?)` \| (counter|gauge|histogram) \| (.*?) ?\| ')
PATIENCE = 30.0
EXPRESSIONS = list(expressions())


def rows() -> list[tuple[str, ...]]:
    """Return what docs/metrics.md says of each metric."""
    lines = (DEPLOY.parent / 'docs' / 'metrics.md').read_text().splitlines()
    return [found.groups() for line in lines if (found := ROW.match(line))]


def exported() -> dict[str, set[str]]:
    """Return the names of all series that lymph exports, with their labels."""
    found = {'up': set(TARGET)}
    for _, series, star, _, tags in rows():
        for suffix in ('bucket', 'count', 'sum') if star else ('',):
            le = {'le'} if suffix == 'bucket' else set()
            found[series + suffix] = {*re.findall(r'`(\w+)`', tags), *le, *TARGET}
    return found


EXPORTED = exported()


def promtool(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run promtool."""
    program = shutil.which('promtool')
    assert program is not None, 'promtool is not installed; apt-get install prometheus'
    return subprocess.run(
        [program, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_files_are_there_and_use_many_metrics() -> None:
    assert len(panels()) > 30
    assert len(rules()) > 15
    assert len(used()) > 50


@pytest.mark.parametrize('expression', EXPRESSIONS, ids=lambda each: each.where)
def test_an_expression_uses_names_and_labels_that_exist(expression: Expression) -> None:
    assert expression.selectors
    labels: set[str] = set()
    for name, chosen in expression.selectors:
        assert name in EXPORTED, f'no metric of lymph has this name: {name}'
        assert chosen <= EXPORTED[name], f'{name} has no such label: {chosen - EXPORTED[name]}'
        labels |= EXPORTED[name]
    assert expression.grouped <= labels
    left = labels if expression.left is None else expression.left
    assert expression.mentioned <= left, 'a text mentions labels that results do not have'
    for name in expression.counters:
        assert name.endswith(('_total', '_bucket')), f'only counters have a rate: {name}'


def test_all_of_lymph_is_on_the_dashboard() -> None:
    shown = {name.split('_')[1] for name in used() if name.startswith('lymph_')}
    families = {name.split('.')[0] for name, *_ in rows()}
    # the plugins, and figures that nobody needs to watch
    assert families - shown <= {'listener', 'otel', 'sentry', 'serial_events', 'lymph', 'process'}


def test_the_expressions_of_the_dashboard_are_valid(tmp_path: Path) -> None:
    recorded = [
        {'record': f'panel:{number}', 'expr': re.sub(r'\[\$__rate_interval\]', '[5m]', each.text)}
        for number, each in enumerate(EXPRESSIONS)
    ]
    path = tmp_path / 'rules.yml'
    path.write_text(json.dumps({'groups': [{'name': 'panels', 'rules': recorded}]}))
    run = promtool('check', 'rules', str(path), folder=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert f'{len(recorded)} rules found' in run.stdout


def test_the_dashboard_can_be_imported() -> None:
    board = dashboard()
    variables = {each['name']: each for each in board['templating']['list']}
    assert list(variables) == ['datasource', 'job', 'instance']
    assert variables['datasource']['type'] == 'datasource'
    ids = [panel['id'] for panel in board['panels']]
    assert len(ids) == len(set(ids))
    for panel in panels():
        assert panel['description']
        assert panel['datasource']['uid'] == '${datasource}'
        place = panel['gridPos']
        assert place['x'] + place['w'] <= 24
    corners = [(panel['gridPos']['x'], panel['gridPos']['y']) for panel in board['panels']]
    assert len(corners) == len(set(corners))


def test_the_example_of_a_configuration_is_valid() -> None:
    run = promtool('check', 'config', 'prometheus.yml', folder=DEPLOY / 'prometheus')
    assert run.returncode == 0, run.stdout + run.stderr
    assert f'{len(rules())} rules found' in run.stdout


class Shop(lymph.Interface):
    """Does work of all kinds, some of which fails."""

    @lymph.rpc(cancel=True)
    def take(self, article: str) -> str:
        if article == 'broken':
            raise KeyError(article)
        return article

    @lymph.event('shop.taken', retry=1)
    def on_taken(self, event: lymph.Event) -> None:
        raise KeyError(event['article'])

    @lymph.task()
    def count(self) -> None:
        pass


class Pages(WebServiceInterface):
    url_map = Map([Rule('/page', endpoint='page')])

    def page(self, request: Any) -> Response:
        return Response('hello')


#: of a partitioner with a connection of its own, of failures that are not made here, of Prometheus
ELSEWHERE = re.compile('lymph_partitioner_|lymph_events_emit_failed|lymph_rpc_dropped|up$')


def test_a_container_exports_what_is_used(tmp_path: Path) -> None:
    sections = {
        'registry': {'class': 'embedded', 'path': str(tmp_path / 'registry')},
        'events': {'class': 'embedded', 'path': str(tmp_path / 'events')},
        'operations': {'port': 0},
        'pool_size': 50,
        'drain_timeout': 0,
    }
    container = ServiceContainer.from_config(Configuration(sections))
    shop = container.install_interface(Shop)
    pages = container.install_interface(Pages, 'pages', None, {'ip': '127.0.0.1'})
    gateway = {'allow': ['shop.*'], 'events': ['shop.*'], 'ip': '127.0.0.1'}
    container.install_interface(Gateway, 'api', None, gateway)
    container.start()
    try:
        for arguments in ({'article': 'x'}, {'article': 'broken'}, {'unknown': 1}):
            with suppress(RpcError):
                container.request('shop', 'shop.take', arguments, timeout=PATIENCE)
        shop.emit('shop.taken', {'article': 'x'})
        shop.count.apply()
        in_thread(lambda: fetch(f'http://127.0.0.1:{pages.http_port}/page'))

        def missing() -> set[str]:
            page = in_thread(lambda: fetch(f'{container.operations}/metrics'))
            families = text_string_to_metric_families(page)
            there = {sample.name for family in families for sample in family.samples}
            return {name for name in used() if not ELSEWHERE.match(name)} - there

        eventually(lambda: not missing(), PATIENCE, lambda: f'the page lacks {missing()}')
    finally:
        container.stop()


def fetch(url: str) -> str:
    """Return the body of an answer over HTTP."""
    request = Request(url, headers={'Accept': 'application/openmetrics-text'})
    with urlopen(request, timeout=PATIENCE) as answer:
        return str(answer.read().decode())
