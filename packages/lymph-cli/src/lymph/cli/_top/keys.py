"""What is typed at a terminal, as the names of keys. Pure.

A key that is not a character sends a sequence that begins with ESC. ESC alone is the key Escape:
`KeyReader.rest` tells so when nothing has followed for a moment.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from typing import Final

__all__ = ['KeyReader']

_ESCAPE: Final = '\x1b'
_LONGEST: Final = 32  # characters of a sequence; a longer one is none
_NAMES: Final = {
    '\r': 'enter',
    '\n': 'enter',
    '\t': 'tab',
    '\x7f': 'backspace',
    '\x08': 'backspace',
    '\x0c': 'redraw',
    '\x15': 'clear',
    '\x04': 'end-of-input',
}
# by what stands behind ESC [ or ESC O
_SEQUENCES: Final = {
    'A': 'up',
    'B': 'down',
    'C': 'right',
    'D': 'left',
    'H': 'home',
    'F': 'end',
    'Z': 'back-tab',
    '1~': 'home',
    '4~': 'end',
    '5~': 'page-up',
    '6~': 'page-down',
    '7~': 'home',
    '8~': 'end',
}


class KeyReader:
    """Splits bytes into keys; a character or a sequence may arrive in pieces."""

    def __init__(self) -> None:
        self._decoder = getincrementaldecoder('utf-8')('ignore')
        self._text = ''

    @property
    def pending(self) -> bool:
        """Whether a key has begun and may go on."""
        return bool(self._text or self._decoder.getstate()[0])

    def feed(self, data: bytes) -> list[str]:
        """Return the keys that are complete now: characters, and names such as ``page-up``."""
        self._text += self._decoder.decode(data)
        keys = []
        while self._text:
            length = _sequence_length(self._text)
            if not length:
                break
            key = _named(self._text[:length])
            self._text = self._text[length:]
            if key:
                keys.append(key)
        return keys

    def rest(self) -> list[str]:
        """Return the keys in what has begun, since nothing has followed."""
        text, self._text = self._text, ''
        self._decoder.reset()
        return ['escape'] if text == _ESCAPE else []


def _sequence_length(text: str) -> int:
    """Return how many characters the first key has; 0 if it is not complete."""
    if text[0] != _ESCAPE:
        return 1
    if len(text) == 1:
        return 0
    if text[1] == _ESCAPE:
        return 1
    if text[1] not in '[O':
        return 2
    for number, character in enumerate(text[2:_LONGEST], 2):
        if '@' <= character <= '~':
            return number + 1
    return _LONGEST if len(text) >= _LONGEST else 0


def _named(text: str) -> str:
    if text[0] == _ESCAPE:
        return 'escape' if len(text) == 1 else _SEQUENCES.get(text[2:], '')
    if text in _NAMES:
        return _NAMES[text]
    return text if text.isprintable() else ''
