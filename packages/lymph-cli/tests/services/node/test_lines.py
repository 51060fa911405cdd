from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lymph.services.node._fleet.lines import LineSplitter


def split(*chunks: bytes) -> list[str]:
    splitter = LineSplitter()
    return [line for chunk in chunks for line in splitter.feed(chunk)] + splitter.finish()


def test_lines_are_assembled_from_chunks() -> None:
    assert split(b'on', b'e\ntw', b'o\n\nthr', b'ee') == ['one', 'two', '', 'three']


def test_line_is_returned_as_soon_as_it_ends() -> None:
    assert LineSplitter().feed(b'one\ntwo') == ['one']


def test_line_endings_of_other_systems_are_stripped() -> None:
    assert split(b'one\r\ntwo\r\n') == ['one', 'two']


def test_undecodable_bytes_become_replacement_characters() -> None:
    assert split(b'a\xffb\n', b'\xe2\x82') == ['a\ufffdb', '\ufffd']


def test_an_endless_line_is_cut() -> None:
    lines = split(b'x' * 200_000)
    assert ''.join(lines) == 'x' * 200_000
    assert max(map(len, lines)) == 64 * 1024


@given(st.text(st.characters(exclude_characters='\r', exclude_categories=['Cs'])), st.data())
def test_chunk_boundaries_do_not_change_the_lines(text: str, data: st.DataObject) -> None:
    encoded = text.encode()
    cut = data.draw(st.integers(0, len(encoded)))
    assert split(encoded[:cut], encoded[cut:]) == split(encoded)
    assert '\n'.join(split(encoded)) == text.removesuffix('\n')
