"""The documents name modules, objects and files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    *(ROOT / name for name in ('README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md')),
    *sorted(ROOT.glob('docs/*.md')),
    *sorted(ROOT.glob('packages/*/README.md')),
]
#: `lymph.a.b` or `lymph.a.b:Name`, and the same within a family: `core._a.b`, `_a.b:Name`
NAMED = re.compile(r'`(lymph(?:\.\w+)+(?::\w[\w.]*)?)`')
INSIDE = re.compile(r'`((?:core\.|(?:[a-z]\w*\.)*_[a-z]\w*\.)\w[\w.]*(?::\w[\w.]*)?)`')
FILE = re.compile(r'`([\w./-]+/[\w.-]+\.(?:py|md))`')
#: names in the namespace `lymph` that are no modules
OTHERS = {
    'lymph.behind': 'an event type',
    'lymph.calls': 'a logger',
    **dict.fromkeys(
        (
            *('lymph.attempt', 'lymph.attempt.failed', 'lymph.event.id', 'lymph.event.type'),
            *('lymph.handler', 'lymph.trace_id'),
        ),
        'an attribute or an event of a span',
    ),
    'lymph.dead': 'an exchange',
    'lymph.info': 'a metric',
    'lymph.from_proxy': 'a key of a WSGI environment',
    'lymph.log': 'a topic',
    'lymph.metrics': 'a topic',
    'lymph.received': 'a key of a WSGI environment',
    'lymph.shell': 'an entry-point group, of which lymph publishes nothing',
    'lymph.task.shop.pay': 'a type of events',
    'lymph.discovery.zookeeper.kazoo': 'a logger',
    'lymph.web.access': 'a logger',
    **dict.fromkeys(
        (
            f'lymph.{name}'
            for name in (
                'change_loglevel',
                'describe_metrics',
                'get_metrics',
                'inspect',
                'ping',
                'recent',
                'status',
                'trace',
            )
        ),
        'a method of every instance',
    ),
}
#: files that documents tell their readers to write
EXAMPLES = {
    '_commands/NAME.py',
    '_running/NAME.py',
    'lymph_busy/__init__.py',
    'lymph_busy/asking.py',
}


def sources() -> dict[str, str]:
    """Return the text of all modules and packages by name, and by all ends of it: `b.c` of `a.b.c`.

    It is '' for a folder without a file. Modules whose names have the same end share one text.
    """
    found: dict[str, str] = {}
    for path in ROOT.glob('packages/*/src/**/*.py'):
        parts = path.with_suffix('').parts[path.parts.index('src') + 1 :]
        for end in range(1, len(parts)):
            for start in range(end):
                found.setdefault('.'.join(parts[start:end]), '')
        named = parts[:-1] if parts[-1] == '__init__' else parts
        for start in range(len(named)):
            name = '.'.join(named[start:])
            found[name] = found.get(name, '') + path.read_text()
    return found


SOURCES = sources()


def groups() -> set[str]:
    """Return the names of the entry-point groups in all projects."""
    text = '\n'.join(path.read_text() for path in ROOT.glob('packages/*/pyproject.toml'))
    return set(re.findall(r'entry-points\."?(lymph[\w.]+)', text))


def exists(name: str) -> bool:
    """Tell whether a name is a module, or a word in the module before its last dot or its colon.

    Nothing is imported, which would take seconds.
    """
    module, colon, member = name.partition(':')
    if not colon and module not in SOURCES:
        module, _, member = name.rpartition('.')
    words = member.split('.')[:1] if member else []
    return module in SOURCES and all(re.search(rf'\b{word}\b', SOURCES[module]) for word in words)


@pytest.fixture(params=DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def document(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_modules_and_objects_that_a_document_names_exist(document: Path) -> None:
    named = set(NAMED.findall(document.read_text())) - OTHERS.keys() - groups()
    assert [name for name in sorted(named) if not exists(name)] == []


def test_private_modules_that_a_document_names_exist(document: Path) -> None:
    named = set(INSIDE.findall(document.read_text()))
    assert [name for name in sorted(named) if not exists(name)] == []


def test_files_that_a_document_names_exist(document: Path) -> None:
    if document.name == 'guarantees.md':  # test_guarantees.py looks for those
        return
    inside = ('', 'src', 'src/lymph', 'src/lymph/cli')
    folders = [ROOT, document.parent, *(p / i for p in ROOT.glob('packages/*') for i in inside)]
    named = set(FILE.findall(document.read_text())) - EXAMPLES
    missing = [name for name in named if not any((folder / name).exists() for folder in folders)]
    assert missing == []
