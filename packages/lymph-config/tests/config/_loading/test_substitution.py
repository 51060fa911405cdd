from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.config import Configuration, ConfigurationError

Load = Callable[..., Configuration]

VARIABLES = """
key: value
version: 1.10
switch: yes
empty:
struct:
  foo: bar
  list: [1, {a: $(env.USER)}]
alias: $(var.struct)
day: 2016-02-19
"""


def filled(value: object, **environ: str) -> Any:
    return Configuration({'value': value}, environ=environ).get_raw('value')


def escaped(text: str) -> str:
    return re.sub(r'(\$+)\(', lambda match: match[1] * 2 + '(', text)


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('$(var.key)', 'value'),
        ('prefix_$(var.key)_suffix', 'prefix_value_suffix'),
        ('$(var.key)$(var.key)', 'valuevalue'),
        ('$(var.version)', 1.1),
        ('app:$(var.version)', 'app:1.10'),
        ('$(var.switch)', True),
        ('on=$(var.switch)', 'on=yes'),
        ('$(var.empty)', None),
        ('$(var.day)', datetime.date(2016, 2, 19)),
        ('on $(var.day)', 'on 2016-02-19'),
        ('$(var.struct)', {'foo': 'bar', 'list': [1, {'a': 'me'}]}),
        ('$(var.struct.foo)', 'bar'),
        ('$(var.struct.list.1.a)', 'me'),
        ('$(var.alias)', {'foo': 'bar', 'list': [1, {'a': 'me'}]}),
        ('protocol://$(env.USER):$(env.PASSWORD)@host/path', 'protocol://me:p$(var.key)@host/path'),
        ('$(env.PORT)', '8080'),
        ('$(env.a.b)', 'dotted'),
        ('dep:$(var.key)', 'dep:value'),
        ('$$(date)', '$(date)'),
        ('$$(env.USER) $(env.USER)', '$(env.USER) me'),
        ('$$$(env.USER)', '$me'),
        ('$$$$(x', '$$(x'),
        ('$5, $key, ${key}, $', '$5, $key, ${key}, $'),
    ],
)
def test_references_are_substituted(load: Load, text: str, value: object) -> None:
    environ = {'USER': 'me', 'PASSWORD': 'p$(var.key)', 'PORT': '8080', 'a.b': 'dotted'}
    config = load(
        f"whole: '{text}'\nlist: ['{text}', {{deep: '{text}'}}]", variables=VARIABLES, **environ
    )
    assert config.get_raw('whole') == value
    assert config.get_raw('list') == [value, {'deep': value}]


def test_the_example_of_the_manual(load: Load) -> None:
    config = load(
        'foo: $(var.key)\nvar: $(var.struct)\ninterpolation: prefix_$(var.key)_suffix\n',
        variables='key: value\nstruct:\n    foo: bar\n',
    )
    assert config.get_raw(()) == {
        'foo': 'value',
        'var': {'foo': 'bar'},
        'interpolation': 'prefix_value_suffix',
    }


@pytest.mark.parametrize(
    ('text', 'error'),
    [
        ('$(var.kye)', "$(var.kye): no variable 'kye'; did you mean 'key'?"),
        ('$(var.struct.fo)', "$(var.struct.fo): no variable 'struct.fo'; did you mean 'struct.fo"),
        ('$(var.strct.foo.bar)', "no variable 'strct.foo.bar'; did you mean 'struct'?"),
        ('$(var.struct.list.7)', "no variable 'struct.list.7'; add it to vars.yml"),
        ('$(var.redis)', "$(var.redis): no variable 'redis'; add it to vars.yml"),
        ('$(env.USRE)', "$(env.USRE): no environment variable 'USRE'; did you mean 'USER'?"),
        ('$(env.NAMESPACE)', "no environment variable 'NAMESPACE'; set it"),
        ('$(evn.USER)', '$(evn.USER) is neither $(env.NAME) nor $(var.NAME); for plain text write'),
        ('$(date)', '$(date) is neither'),
        ('$()', '$() is neither'),
        ('$(env.)', '$(env.) is neither'),
        ('$(var)', '$(var) is neither'),
        ('a $(env.USER', "'$(env.USER' has no end"),
        ('$($(env.USER))', "'$($(env.USER))' has no end"),
        ('x $(var.struct)', '$(var.struct) is a mapping and cannot stand inside a string'),
        ('x $(var.empty)', '$(var.empty) is nothing and cannot stand inside a string'),
    ],
)
def test_wrong_reference_is_rejected_with_its_place(load: Load, text: str, error: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(f"a:\n  - b: '{text}'", variables=VARIABLES, USER='me')
    assert str(caught.value).startswith('conf.yml:2: a.0.b: ')
    assert error in str(caught.value)


def test_error_without_variables_says_how_to_load_them(load: Load) -> None:
    with pytest.raises(ConfigurationError, match=r'no variables are loaded: .* --vars'):
        load('a: $(var.b)')


def test_wrong_reference_among_the_variables_is_rejected_with_its_own_line(load: Load) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load('a: $(var.b)', variables='b:\n  c: $(env.NO)')
    assert str(caught.value).startswith('vars.yml:2: b.c: $(env.NO): ')


@pytest.mark.parametrize(
    'variables',
    ['a: $(var.a)', 'a: x$(var.b)\nb: y$(var.a)', 'a: {b: $(var.a)}', 'a: [$(var.a.0)]'],
)
def test_circular_variables_are_rejected(load: Load, variables: str) -> None:
    with pytest.raises(ConfigurationError, match='variables lead in a circle: '):
        load('x: $(var.a)', variables=variables)


def test_errors_in_substituted_values_name_the_line_of_the_variables(load: Load) -> None:
    config = load('a: $(var.b)\n', variables='b:\n  c: text\n')
    with pytest.raises(ConfigurationError) as caught:
        config.get_int('a.c')
    assert str(caught.value).startswith('vars.yml:2: a.c: ')


def test_keys_are_left_alone(load: Load) -> None:
    assert load('$(env.X): 1').get_raw(()) == {'$(env.X)': 1}


def test_later_files_of_variables_win(load: Load, write: Callable[[str, str], object]) -> None:
    config = Configuration(variables={'a': {'x': 1, 'y': 1}})
    write('more.yml', 'a: {y: 2}')
    config.load_vars_file('more.yml')
    write('conf.yml', 'a: $(var.a)')
    config.load_file('conf.yml')
    assert config.get_raw('a') == {'x': 1, 'y': 2}


@given(st.text('$()ab.'))
def test_escaped_references_are_literal(text: str) -> None:
    assert filled(escaped(text)) == text


@given(st.text().filter(lambda text: '$(' not in text))
def test_text_without_references_is_unchanged(text: str) -> None:
    assert filled(text) == text


@given(st.text('$()ab.'), st.text(), st.text('$()ab.'))
def test_references_in_environment_variables_are_not_substituted(
    before: str, value: str, after: str
) -> None:
    text = f'{escaped(before).rstrip("$")}$(env.X){escaped(after)}'
    assert filled(text, X=value) == f'{before.rstrip("$")}{value}{after}'


@given(
    st.recursive(
        st.integers() | st.booleans(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_value_that_is_one_reference_keeps_type_and_structure(value: object) -> None:
    config = Configuration({'value': '$(var.x)'}, variables={'x': value})
    assert config.get_raw('value') == value
    assert type(config.get_raw('value')) is type(value)


def test_references_in_values_set_from_python_are_not_substituted() -> None:
    config = Configuration()
    config.set('a', '$(env.X)')
    config.update({'b': '$(env.X)'})
    assert (config['a'], config['b'], config.setdefault('c', '$(x)')) == ('$(env.X)',) * 2 + (
        '$(x)',
    )
