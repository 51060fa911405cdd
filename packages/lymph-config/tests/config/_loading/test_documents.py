from __future__ import annotations

import datetime
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lymph.config import ConfigurationError
from lymph.config._loading import documents as reading
from lymph.config._loading.documents import parse
from lymph.config._values.nodes import locate, plain

CHOSEN = reading._Loader

texts = st.text(st.characters(codec='utf-8', exclude_categories=['C']))
documents = st.dictionaries(
    texts,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
        lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
        max_leaves=15,
    ),
)


@pytest.fixture(params=['chosen', 'python'], autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test with every available parser of PyYAML."""
    loader = CHOSEN if request.param == 'chosen' else yaml.SafeLoader
    monkeypatch.setattr(reading, '_Loader', loader)


def read(text: str) -> Any:
    return plain(parse(text.encode(), 'conf.yml'))


def error_of(text: str | bytes) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse(text.encode() if isinstance(text, str) else text, 'conf.yml')
    return str(caught.value)


def test_libyaml_is_used_if_available() -> None:
    assert CHOSEN is (yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader)


@pytest.mark.parametrize(
    ('text', 'values'),
    [
        ('', {}),
        ('# nothing\n', {}),
        ('---\n', {}),
        ('\ufeffa: 1', {'a': 1}),
        ('a:', {'a': None}),
        ('a: [1, 2.5, yes, ~, text]', {'a': [1, 2.5, True, None, 'text']}),
        ('a: 2016-02-19', {'a': datetime.date(2016, 2, 19)}),
        ('a: !!binary aGk=', {'a': b'hi'}),
        ('a: !!str 5', {'a': '5'}),
        ('a: =', {'a': '='}),
        ('a: "<<"', {'a': '<<'}),
        ('a: 120.0.0.1:2181', {'a': '120.0.0.1:2181'}),
    ],
)
def test_plain_values_are_read(text: str, values: object) -> None:
    assert read(text) == values


@pytest.mark.parametrize(
    'key', ['echo@1.10', '1.10', '010', 'yes', '~', 'null', '2016-02-19', '1_000', '.inf']
)
def test_keys_are_text_exactly_as_written(key: str) -> None:
    assert read(f'interfaces: {{{key}: 1}}') == {'interfaces': {key: 1}}
    assert read(f'interfaces:\n  {key}: 1') == {'interfaces': {key: 1}}


@given(documents)
def test_documents_written_by_yaml_parse_back(values: dict[str, Any]) -> None:
    assert read(yaml.safe_dump(values, allow_unicode=True)) == values


def test_values_know_their_lines() -> None:
    tree = parse(b'a:\n  b: 1\n\n  c:\n    - 2\n    - d: 3\n', 'conf.yml')
    lines = {
        ('a',): 1,
        ('a', 'b'): 2,
        ('a', 'c'): 4,
        ('a', 'c', 0): 5,
        ('a', 'c', 1): 6,
        ('a', 'c', 1, 'd'): 6,
    }
    for path, line in lines.items():
        assert str(locate(tree, path)).startswith(f'conf.yml:{line}: ')


def test_merge_keys_add_missing_keys_and_the_first_source_wins() -> None:
    text = 'x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz: {<<: [*x, *y], a: 3}\nw: {<<: *y}\n'
    assert read(text) | {'x': 0, 'y': 0} == {
        'x': 0,
        'y': 0,
        'z': {'a': 3, 'b': 1, 'c': 2},
        'w': {'b': 2, 'c': 2},
    }


def test_merged_values_keep_the_line_of_their_source() -> None:
    tree = parse(b'x: &x\n  a: 1\ny:\n  <<: *x\n', 'conf.yml')
    assert str(locate(tree, ('y', 'a'))) == 'conf.yml:2: y.a'


@pytest.mark.parametrize(
    ('text', 'error'),
    [
        ('- a\n- b\n', 'conf.yml:1: expected a mapping of sections, such as `container:`, found'),
        ('\nhello\n', 'conf.yml:2: expected a mapping of sections, such as `container:`, found'),
        ('a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n', 'conf.yml:5: b.c: appears twice, first in line 3'),
        ('a: 1\n"a": 2', 'conf.yml:2: a: appears twice, first in line 1'),
        ('a: 1\nb: [1, 2\n', 'conf.yml:3: not valid YAML: '),
        ('a: 1\n b: 2\n', 'conf.yml:2: not valid YAML: '),
        ('a: "open', 'conf.yml:1: not valid YAML: '),
        ('a: 1\n---\nb: 2\n', 'conf.yml:2: not valid YAML: '),
        ('a: *nobody', 'conf.yml:1: not valid YAML: '),
        ('a:\n  b: !!python/object/apply:os.getcwd []', 'conf.yml:2: a.b: the tag !!python/obj'),
        ('a: !!python/name:os.getcwd ""', 'conf.yml:1: a: the tag !!python/name:os.getcwd is not'),
        ('a: !mine {b: 1}', 'conf.yml:1: a: the tag !mine is not allowed'),
        ('a: !!set {b, c}', 'conf.yml:1: a: the tag !!set is not allowed'),
        ('a:\n  ? [1, 2]\n  : 3', 'conf.yml:2: a: a key must be text'),
        ('a: {<<: 5}', 'conf.yml:1: a: `<<` takes a mapping'),
        ('x: &x {a: 1}\ny: {<<: *x, <<: *x}', 'conf.yml:2: y.<<: appears twice'),
        ('a: &a {b: *a}', 'conf.yml:1: a.b: an alias leads to a value that contains it'),
        ('a: &a [*a]', 'conf.yml:1: a.0: an alias leads to a value that contains it'),
        ('a: !!int five', 'conf.yml:1: a: \'five\' is not a valid YAML "int"'),
        ('a: !!int ""', 'conf.yml:1: a: \'\' is not a valid YAML "int"'),
        ('a: !!float ""', 'conf.yml:1: a: \'\' is not a valid YAML "float"'),
        ('a: !!timestamp soon', 'conf.yml:1: a: \'soon\' is not a valid YAML "timestamp"'),
        ('a: !!binary é', 'conf.yml:1: a: \'é\' is not a valid YAML "binary"'),
        ('a: !!int "-"', 'conf.yml:1: a: \'-\' is not a valid YAML "int"'),
        ('a: !!float 1e', 'conf.yml:1: a: \'1e\' is not a valid YAML "float"'),
        ('a: 2016-99-99', 'conf.yml:1: a: \'2016-99-99\' is not a valid YAML "timestamp"'),
        ('a: !!bool maybe', 'conf.yml:1: a: \'maybe\' is not a valid YAML "bool"'),
        ('a: 1\nb: \x07', 'conf.yml:2: YAML allows no control character U+0007; remove it'),
        ('a: 1\nb: ' + '[' * 100_000, 'conf.yml:2: nested more than 100 levels deep'),
        (b'a: 1\nb: \xff\n', 'conf.yml:2: expected UTF-8, found the byte 0xff; save the file as'),
        ('a: 1'.encode('utf-16'), 'conf.yml:1: expected UTF-8, found the byte 0xff'),
    ],
)
def test_invalid_document_is_rejected_with_its_line(text: str | bytes, error: str) -> None:
    found = error_of(text)
    assert found.startswith(error)
    assert '\n' not in found


def test_aliases_that_multiply_without_bound_are_rejected() -> None:
    lines = ['a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]']
    for level in range(1, 10):
        lines.append(f'a{level}: &a{level} [{", ".join([f"*a{level - 1}"] * 10)}]')
    assert 'aliases add more than 100000 values' in error_of('\n'.join(lines))


@pytest.mark.parametrize('text', ['a:\n\tb: 1\n', 'a:\n  b: 1\n  \tc: 2\n', 'a:\n  - 1\n\t- 2\n'])
def test_error_about_a_tab_in_the_indentation_says_so(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r':\d: not valid YAML: found a tab; indent with'):
        parse(text.encode(), 'conf.yml')
