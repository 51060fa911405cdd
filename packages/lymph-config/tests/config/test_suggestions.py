from __future__ import annotations

import pytest

from lymph.config import Configuration, ConfigurationError
from lymph.config.plugins import load_plugin
from lymph.config.suggestions import LONGEST, close_name, close_names

KNOWN = ['upper', 'lower', 'x' * 1000]


@pytest.mark.parametrize(
    ('name', 'close'),
    [
        ('uper', 'upper'),
        ('Lower', 'lower'),
        ('zzz', None),
        ('', None),
        (None, None),
        (5, None),
        ('x' * 999, None),
        ('upper' * 100_000, None),
    ],
)
def test_the_closest_known_name_is_suggested(name: object, close: str | None) -> None:
    assert close_name(name, KNOWN) == close


def test_least_similarity_is_an_argument() -> None:
    assert close_name('upprr', KNOWN, 0.9) is None
    assert close_name('upprr', KNOWN, 0.8) == 'upper'


def test_long_names_are_never_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    def compared(name: str, known: list[str], **_: object) -> list[str]:
        assert len(name) <= LONGEST
        assert all(len(each) <= LONGEST for each in known)
        return []

    monkeypatch.setattr('difflib.get_close_matches', compared)
    for name in ('x', 'x' * 10**7):
        assert close_names(name, KNOWN) == ''


@pytest.mark.parametrize('name', ['x' * 10**6, 'a\nb\x1b[31m', 'no.such.module:' + 'x' * 10**5])
def test_errors_quote_no_name_at_length(name: str) -> None:
    config = Configuration({'a': {name: 'text'}})
    errors = [
        lambda: load_plugin('lymph.events', name, where='a'),
        lambda: config.view('a').get_int([name]),
        lambda: config.get_int(['a', name]),
    ]
    for raising in errors:
        with pytest.raises(ConfigurationError) as caught:
            raising()
        assert len(str(caught.value)) < 1200
        assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ('name', 'advice'),
    [('zookeper', "; did you mean 'zookeeper'?"), ('redis', '')],
)
def test_a_known_name_is_suggested_if_it_is_close(name: str, advice: str) -> None:
    assert close_names(name, ['static', 'zookeeper']) == advice
