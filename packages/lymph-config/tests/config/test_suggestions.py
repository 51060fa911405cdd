from __future__ import annotations

import pytest

from lymph.config import Configuration, ConfigurationError
from lymph.config._values.locations import Location, Position
from lymph.config._values.nodes import describe
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


@pytest.mark.parametrize(
    'value',
    [10**5000, -(10**5000), 'x' * 10**6, b'x' * 10**6, object(), '\x1b[31m\n' * 9],
    ids=type,
)
def test_any_value_is_described_in_one_short_line(value: object) -> None:
    told = describe(value)
    assert len(told) < 200
    assert told.isprintable()


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


def test_a_long_key_is_cut_where_it_is_shown() -> None:
    location = Location('a.' + 'x' * 10**6, Position('conf.yml', 3))
    assert str(location).startswith('conf.yml:3: a.xxx')
    assert len(str(location)) < 330
    assert len(location.key) > 10**6


@pytest.mark.parametrize(
    ('name', 'advice'),
    [('zookeper', "; did you mean 'zookeeper'?"), ('redis', '')],
)
def test_a_known_name_is_suggested_if_it_is_close(name: str, advice: str) -> None:
    assert close_names(name, ['static', 'zookeeper']) == advice
