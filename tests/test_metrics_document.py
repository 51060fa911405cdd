"""docs/metrics.md lists exactly the metrics that the sources describe, in their words."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from lymph.core._monitoring.exported_names import described_name
from lymph.core.monitoring.descriptions import MetricDescription

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / 'docs' / 'metrics.md'
#: the first line of each table of metrics
HEAD = '| name | Prometheus | kind | tags | meaning |'
ENDINGS = {'counter': '_total', 'gauge': '', 'histogram': '_*'}
DESCRIBES = re.compile(
    r'^from lymph\.core\.monitoring\.descriptions import .*\bdescribe\b', re.MULTILINE
)
#: imports modules in a process of its own: here, other tests may have described metrics
PROGRAM = """
import json, sys
from importlib import import_module
for name in sys.argv[1:]:
    import_module(name)
from lymph.core.monitoring.descriptions import descriptions
json.dump(descriptions(), sys.stdout)
"""


def described() -> list[MetricDescription]:
    """Return the descriptions of all metrics of lymph."""
    modules = []
    for path in ROOT.glob('packages/*/src/**/*.py'):
        if DESCRIBES.search(path.read_text()):
            parts = path.with_suffix('').parts
            modules.append('.'.join(parts[parts.index('src') + 1 :]))
    command = [sys.executable, '-c', PROGRAM, *modules]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return [
        MetricDescription(name, kind, help, unit, tuple(tags), exported)
        for name, kind, help, unit, tags, exported in json.loads(run.stdout)
    ]


def row(known: MetricDescription) -> str:
    """Return the line of the table about a metric."""
    exported = described_name(known) + ENDINGS[known.kind]
    tags = ', '.join(f'`{tag}`' for tag in known.tags)
    cells = (f'`{known.name}`', f'`{exported}`', known.kind, tags, known.help)
    return f'| {" | ".join(cells)} |'.replace('|  |', '| |')


def rows() -> list[str]:
    """Return the lines of all tables of metrics in the document."""
    found: list[str] = []
    inside = False
    for line in DOCUMENT.read_text().splitlines():
        inside = line.startswith('|') and (inside or line == HEAD)
        if inside and line.startswith('| `'):
            found.append(line)
    return found


def test_the_document_lists_the_metrics_that_the_sources_describe() -> None:
    expected, documented = [row(known) for known in described()], rows()
    assert len(documented) == len(set(documented))
    missing = [line for line in expected if line not in documented]
    assert not missing, 'lines that docs/metrics.md needs:\n' + '\n'.join(missing)
    wrong = [line for line in documented if line not in expected]
    assert not wrong, 'lines of docs/metrics.md that no source describes:\n' + '\n'.join(wrong)
