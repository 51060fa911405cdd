"""A pytest plugin that limits what a failure prints: `pytest -p lymph.testing.short_failures`.

A failing test prints everything that it and its child processes logged and printed, which may be
more than a terminal or a build log can hold. With this plugin a failure prints at most 200 such
lines; longer text is cut in the middle, with a line that says how many lines were left out.

| text | lines |
| --- | --- |
| logged and printed until the test ended (all captured sections together) | 100 |
| logged and printed by the teardown | 50 |
| the message of the error, which may quote the output of a process | 50 |

A line of more than 1,000 characters is cut at its end. Source lines of the traceback are not cut.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import pytest

__all__ = ['cut_lines', 'fair_shares', 'pytest_runtest_makereport']

_CAPTURED, _TEARDOWN, _MESSAGE = 100, 50, 50  # lines
_LINE = 1000  # characters


def cut_lines(lines: Sequence[str], limit: int) -> list[str]:
    """Return at most `limit` lines: the first and the last, and between them what is left out."""
    short = [line if len(line) <= _LINE else f'{line[:_LINE]}...' for line in lines]
    if len(short) <= limit:
        return short
    kept = max(limit - 1, 0)
    first = kept // 2
    left_out = f'... ({len(short) - kept} lines left out)'
    return [*short[:first], left_out, *short[len(short) - (kept - first) :]]


def fair_shares(wanted: Sequence[int], limit: int) -> list[int]:
    """Divide `limit` among what is wanted; what one does not need goes to the others."""
    shares = [0] * len(wanted)
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    for place, index in enumerate(order):
        shares[index] = min(wanted[index], limit // (len(order) - place))
        limit -= shares[index]
    return shares


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Cut the report of a test, of its setup or of its teardown."""
    report = yield
    if report.failed:
        _cut_message(report.longrepr)
    # Also of a successful teardown: pytest prints it if the test has failed.
    report.sections = _cut_sections(report.sections)
    return report


def _cut_sections(sections: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Cut sections such as ('Captured log call', text)."""
    texts = [text.splitlines() for _, text in sections]
    cut: dict[int, str] = {}
    for teardown, limit in ((False, _CAPTURED), (True, _TEARDOWN)):
        chosen = [n for n, (title, _) in enumerate(sections) if ('teardown' in title) is teardown]
        shares = fair_shares([len(texts[n]) for n in chosen], limit)
        for n, share in zip(chosen, shares, strict=True):
            cut[n] = '\n'.join(cut_lines(texts[n], share))
    return [(title, cut[n]) for n, (title, _) in enumerate(sections)]


def _cut_message(shown: object) -> None:
    """Cut the messages of errors in what pytest shows of an exception and its causes."""
    chain = getattr(shown, 'chain', None) or [(getattr(shown, 'reprtraceback', None),)]
    entries = [entry for link in chain for entry in getattr(link[0], 'reprentries', ())]
    # an entry has the lines of the source first, then those of the message, marked with an E
    messages = []
    for entry in entries:
        entry.lines = [line for each in entry.lines for line in each.split('\n')]
        marked = [n for n, line in enumerate(entry.lines) if line.startswith('E  ')]
        whole = getattr(entry, 'style', '') == 'value'  # pytest.fail(..., pytrace=False)
        messages.append(0 if whole else marked[0] if marked else len(entry.lines))
    wanted = [len(entry.lines) - start for entry, start in zip(entries, messages, strict=True)]
    for entry, start, share in zip(entries, messages, fair_shares(wanted, _MESSAGE), strict=True):
        message = cut_lines(entry.lines[start:], share)
        entry.lines[start:] = [
            f'E   {line}' if start and line.startswith('... (') else line for line in message
        ]
