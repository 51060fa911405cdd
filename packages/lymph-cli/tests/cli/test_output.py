"""Foreign text, made printable."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lymph.cli.output import block, child_line, json_text, one_line

#: Escape sequences, C1 controls, bidirectional overrides, separators, surrogates.
HOSTILE = [
    *('\x1b[2J', '\x1b]0;title\x07', '\x9b31m', '\r', '\b', '\0', '\x7f', '\x85', '\u2028'),
    *('\u202e', '\u2066', '\ufeff', '\u200b', '\ud800', '\udcff', '\x0b', '\x0c', '\U000e0001'),
]
TEXTS = st.lists(st.text() | st.sampled_from(HOSTILE)).map(''.join)


@given(TEXTS)
def test_line_is_one_line_of_printable_characters(text: str) -> None:
    assert one_line(text).isprintable()


@given(TEXTS)
def test_block_keeps_line_breaks_as_its_only_unprintable_characters(text: str) -> None:
    assert block(text).replace('\n', '').isprintable()
    assert block(text).count('\n') == text.count('\n')


@given(TEXTS)
def test_line_of_a_child_keeps_tabs_as_its_only_unprintable_characters(text: str) -> None:
    assert child_line(text).replace('\t', '').isprintable()
    assert child_line(text).count('\t') == text.count('\t')


@given(TEXTS)
@example('\ud800\udcff')
@example('\ud800 \udcff')
def test_json_stays_the_same_document(text: str) -> None:
    # To JSON, two halves of a surrogate pair that stand next to each other are one character.
    text = text.encode('utf-16', 'surrogatepass').decode('utf-16', 'surrogatepass')
    printed = json_text(json.dumps([text], ensure_ascii=False, indent=2))
    assert printed.replace('\n', '').isprintable()
    assert json.loads(printed) == [text]


@pytest.mark.parametrize('encoding', ['ascii', 'latin-1', 'utf-8'])
def test_json_has_only_characters_that_stdout_can_encode(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    class Stdout:
        pass

    Stdout.encoding = encoding  # type: ignore[attr-defined]
    text = '"\xe9 \u20ac \U0001f600"'
    with monkeypatch.context() as patched:
        patched.setattr(sys, 'stdout', Stdout())
        printed = json_text(text)
    printed.encode(encoding)
    assert json.loads(printed) == json.loads(text)


def test_letters_of_all_scripts_stay() -> None:
    for text in ('gr\xfc\xdfe', '\u4f60\u597d', '\u0645\u0631\u062d\u0628\u0627', '\U0001f600'):
        assert (one_line(text), block(text), child_line(text)) == (text, text, text)


def test_words_and_blocks_are_bounded() -> None:
    assert len(one_line('x' * 10_000_000)) <= 4_000
    assert len(one_line('\x1b' * 10_000_000)) <= 4_000
    assert len(block('x\n' * 10_000_000)) <= 64_003
