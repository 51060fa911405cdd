"""A pytest plugin that limits what a failure prints: `pytest -p lymph.testing.short_failures`.

A failing test prints its traceback and everything that it and its child processes logged and
printed, which may be more than a terminal or a build log can hold. With this plugin a failure
prints at most 200 lines; longer text is cut in the middle, with a line that says how many lines
were left out.

| text | lines |
| --- | --- |
| the traceback with the message of the error, which may quote the output of a process | 100 |
| of these, the message | 40 |
| logged and printed until the test ended (all captured sections together) | 60 or more |
| logged and printed by the teardown | 25 |
| the message in pytest's summary, which is whole in verbose runs and builds | 1 |

What a traceback leaves of its lines goes to what was captured; the rest is for titles. A line of
more than 1,000 characters is cut at its end.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Protocol

import pytest

__all__ = [
    'cut_lines',
    'fair_shares',
    'pytest_make_collect_report',
    'pytest_runtest_makereport',
]

_TRACEBACK, _MESSAGE, _CAPTURED, _TEARDOWN = 100, 40, 60, 25  # lines
_LINE = 1000  # characters


class _Terminal(Protocol):
    def line(self, text: str, /) -> None:
        """Print a line, or several."""


class _Shown:
    """What pytest shows of a failure, cut; `reprcrash` is where its summary reads the message."""

    def __init__(self, lines: Sequence[str], reprcrash: object) -> None:
        self._text = '\n'.join(lines)
        if reprcrash is not None:
            self.reprcrash = reprcrash

    def __str__(self) -> str:
        return self._text

    def toterminal(self, out: _Terminal) -> None:
        """Print the lines."""
        out.line(self._text)


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
    _cut(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)  # around the one that adds what was captured
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Cut the report of a file that cannot be imported."""
    report = yield
    _cut(report)
    return report


def _cut(report: pytest.TestReport | pytest.CollectReport) -> None:
    spare = _TRACEBACK
    if report.failed:
        _cut_message(report.longrepr)
        spare -= _cut_traceback(report)
    # Also of a successful teardown: pytest prints it if the test has failed.
    report.sections = _cut_sections(report.sections, _CAPTURED + spare)


def _cut_traceback(report: pytest.TestReport | pytest.CollectReport) -> int:
    """Cut what pytest shows of an exception; return the number of lines that are left."""
    whole = report.longreprtext.splitlines()
    lines = cut_lines(whole, _TRACEBACK)
    crash = getattr(report.longrepr, 'reprcrash', None)
    if crash is not None:
        crash.message = '\n'.join(cut_lines(crash.message.splitlines()[:1], 1))
    if lines != whole:  # otherwise it keeps its colors
        report.longrepr = _Shown(lines, crash)  # type: ignore[assignment]  # their base is private
    return len(lines)


def _cut_sections(sections: Sequence[tuple[str, str]], captured: int) -> list[tuple[str, str]]:
    """Cut sections such as ('Captured log call', text)."""
    texts = [text.splitlines() for _, text in sections]
    cut: dict[int, str] = {}
    for teardown, limit in ((False, captured), (True, _TEARDOWN)):
        chosen = [n for n, (title, _) in enumerate(sections) if ('teardown' in title) is teardown]
        shares = fair_shares([len(texts[n]) for n in chosen], limit)
        for n, share in zip(chosen, shares, strict=True):
            cut[n] = '\n'.join(cut_lines(texts[n], share))
    return [(title, cut[n]) for n, (title, _) in enumerate(sections)]


def _cut_message(shown: object) -> None:
    """Cut the messages of errors in what pytest shows of an exception and its causes."""
    chain = getattr(shown, 'chain', None) or [(getattr(shown, 'reprtraceback', None),)]
    entries = [
        entry
        for link in chain
        for entry in getattr(link[0], 'reprentries', ())
        # native entries are text of Python's module traceback, with newlines in it
        if getattr(entry, 'style', 'native') != 'native'
    ]
    # an entry has the lines of the source first, then those of the message, marked with an E
    messages = []
    for entry in entries:
        entry.lines = [line for each in entry.lines for line in each.split('\n')]
        marked = [n for n, line in enumerate(entry.lines) if line.startswith('E  ')]
        whole = getattr(entry, 'style', '') == 'value'  # pytest.fail(..., pytrace=False)
        messages.append(0 if whole else marked[0] if marked else len(entry.lines))
    wanted = [len(entry.lines) - start for entry, start in zip(entries, messages, strict=True)]
    for entry, start, share in zip(entries, messages, fair_shares(wanted, _MESSAGE), strict=True):
        # show some lines of each; if there are very many, the whole traceback is cut
        message = cut_lines(entry.lines[start:], max(share, 2))
        entry.lines[start:] = [
            f'E   {line}' if start and line.startswith('... (') else line for line in message
        ]
