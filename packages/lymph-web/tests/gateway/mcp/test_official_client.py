"""The official client of MCP uses a gateway over a real socket."""

from __future__ import annotations

import json
import pathlib
import re
import sys

import pytest
import yaml
from gevent import subprocess

CLIENT = pathlib.Path(__file__).with_name('official_client.py')
GUIDE = (pathlib.Path(__file__).parents[5] / 'docs' / 'gateway.md').read_text()


def example(language: str) -> str:
    """Return the last example of the guide in a language."""
    return re.findall(rf'^```{language}\n(.*?)^```', GUIDE, re.MULTILINE | re.DOTALL)[-1]


@pytest.fixture
def seen(serve, tmp_path):
    section = yaml.safe_load(example('yaml'))['interfaces']['api']
    world = serve(**{key: section[key] for key in ('allow', 'events', 'mcp')})
    (tmp_path / 'example').write_text(example('python'))
    run = subprocess.run(
        [sys.executable, str(CLIENT), world.url, str(tmp_path / 'example')],
        stdout=subprocess.PIPE,
        timeout=120,
        check=True,
    )
    world.seen = json.loads(run.stdout)
    return world


def test_official_client_lists_and_calls_the_tools_and_nothing_else(seen):
    latest, older, printed = seen.seen
    assert latest['version'] == '2026-07-28'
    assert older['version'] == '2025-11-25'
    for found in (latest, older):
        assert found['server'] == 'lymph-gateway'
        names = [tool['name'] for tool in found['tools']]
        assert names == ['shop.find', 'shop.hang', 'shop.names', 'shop.total']
        tool = found['tools'][-1]
        assert tool['description'] == 'Add up prices.'
        assert tool['annotations']['idempotentHint'] is True
        assert sorted(tool['inputSchema']['properties']) == ['day', 'lines']

        # the client has checked the structured results by the schemas
        total, invalid, line, missing, text, hanging = found['results']
        assert total['structuredContent'] == {'result': 2.5}
        assert [content['text'] for content in total['content']] == ['2.5']
        assert line['structuredContent'] == {'article': 'sock', 'price': 2.5}
        assert text['content'][0]['text'] == 'sock, shoe'

        assert [each['isError'] for each in (invalid, missing, hanging)] == [True] * 3
        problems = [each['_meta']['lymph/problem'] for each in (invalid, missing, hanging)]
        assert [problem['reason'] for problem in problems] == [
            'invalid_arguments',
            'declared',
            'timeout',
        ]
        assert [problem['may_have_run'] for problem in problems] == [False, True, True]
        assert 'lines' in invalid['content'][0]['text']
        assert 'it did not run' in invalid['content'][0]['text']
        assert 'no boot' in missing['content'][0]['text']
        assert 'it may have run' in hanging['content'][0]['text']

        assert set(found['refused']) == {-32602}
    assert 'shop.total - Add up prices.\n' in printed
    assert printed.endswith("{'result': 2.5}\n")
    assert seen.ran == 0
