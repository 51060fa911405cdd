from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.core.versioning import Version, parse_name, parse_version

numbers = st.integers(0, 999_999_999)
versions = st.builds(Version, numbers, numbers, numbers)
small = st.builds(Version, *[st.integers(0, 3)] * 3)


@pytest.mark.parametrize(
    ('text', 'version'),
    [
        ('1', (1, 0, 0)),
        ('1.2', (1, 2, 0)),
        ('1.2.3', (1, 2, 3)),
        ('0.0.0', (0, 0, 0)),
        ('1.10', (1, 10, 0)),
        ('01.02', (1, 2, 0)),
        ('999999999.0.1', (999_999_999, 0, 1)),
    ],
)
def test_missing_numbers_are_zero(text, version):
    assert parse_version(text) == version


@pytest.mark.parametrize(
    'text',
    [
        '',
        '.',
        '1.',
        '.1',
        '1.2.3.4',
        'v1',
        '1.x',
        '-1',
        '1 ',
        ' 1',
        '1\n',
        '1.2-rc1',
        '1' * 10,
        '²',
        '\u0661',
        '1.\u0662',
    ],
)
def test_malformed_version_is_rejected_and_quoted(text):
    with pytest.raises(ValueError, match='expected a version like') as caught:
        parse_version(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize('text', ['x' * 10_000, '\x1b[2J\n', '\ud800', '@' + 'x' * 10_000, '@\n'])
def test_the_error_is_one_short_printable_line(text):
    for parse in (parse_version, parse_name):
        if parse is parse_version or text.startswith('@'):
            with pytest.raises(ValueError, match='expected') as caught:
                parse(text)
            assert str(caught.value).isprintable()
            assert len(str(caught.value)) < 200


@given(versions)
def test_version_survives_a_round_trip(version):
    assert parse_version(str(version)) == version


@pytest.mark.parametrize(
    ('installed', 'wanted', 'serves'),
    [
        ('1.2.0', '1.2', True),
        ('1.2.1', '1.2', True),
        ('1.9.9', '1.2', True),
        ('1.10', '1.9', True),
        ('1.1.9', '1.2', False),
        ('2.0.0', '1.2', False),
        ('2.0.0', '2', True),
        ('2.9', '2', True),
        ('3.0.0', '2', False),
        ('1.2.2', '1.2.3', False),
        ('0.9', '0.1', True),
    ],
)
def test_version_serves_the_same_major_version_up_to_itself(installed, wanted, serves):
    assert parse_version(installed).serves(parse_version(wanted)) is serves


@given(small, small)
def test_versions_that_serve_each_other_are_equal(one, other):
    assert (one.serves(other) and other.serves(one)) == (one == other)


@given(small, small, small)
def test_serving_is_transitive(one, other, wanted):
    if one.serves(other) and other.serves(wanted):
        assert one.serves(wanted)


@pytest.mark.parametrize(
    ('text', 'parts'),
    [
        ('echo', ('echo', None)),
        ('echo@1.5', ('echo', (1, 5, 0))),
        ('echo.upper@1.2', ('echo.upper', (1, 2, 0))),
    ],
)
def test_a_name_may_carry_a_version(text, parts):
    assert parse_name(text) == parts


@pytest.mark.parametrize('text', ['', '@1', 'echo@', 'echo@x', 'echo@1@2'])
def test_empty_name_or_incomplete_version_is_rejected(text):
    with pytest.raises(ValueError, match='expected'):
        parse_name(text)
