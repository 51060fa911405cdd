"""Signatures as text."""

from __future__ import annotations

import decimal
import inspect
import typing
import uuid
from decimal import Decimal

import pytest

from lymph.core._declaring.describing import annotation_text, parameter_text, value_text


class Local:
    pass


class Evil:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __repr__(self) -> str:
        raise self.error


def method(
    plain, a, b, c, d, e, f, g, h, i=5, j=None, k=(1, 2, 3, 4, 5, 6, 7, 8), n=Decimal('1.5')
):
    pass


# as they are without `from __future__ import annotations`
method.__annotations__ = {
    'a': int,
    'b': Decimal,
    'c': uuid.UUID,
    'd': 'Nowhere',
    'e': typing.Optional[Decimal],  # noqa: UP045 - printed in another way than Decimal | None
    'f': list[Local],
    'g': 'dict[str,\n    Any]',
    'h': typing.Any,
    'i': 'int',
    'j': int | None,
    'n': Decimal,
}


def test_parameters_are_described_as_written():
    parameters = inspect.signature(method).parameters.values()
    assert [parameter_text(method, each) for each in parameters] == [
        'plain',
        'a: int',
        'b: Decimal',
        'c: uuid.UUID',
        'd: Nowhere',
        'e: Optional[Decimal]',
        'f: list[Local]',
        'g: dict[str, Any]',
        'h: Any',
        'i: int = 5',
        'j: int | None = None',
        'k=(1, 2, 3, 4, 5, 6, 7, 8)',
        "n: Decimal = Decimal('1.5')",
    ]


@pytest.mark.parametrize(
    'error', [ValueError('no'), RecursionError(), SystemExit(1), KeyboardInterrupt()]
)
def test_object_whose_repr_raises_is_named_by_its_type(error):
    assert value_text(Evil(error)) == '<Evil without a repr>'
    assert annotation_text(method, Evil(error)) == '<Evil without a repr>'


def test_text_is_printable_and_cut():
    class Colored:
        def __repr__(self) -> str:
            return '\x1b[31mred\nand more'

    assert value_text(Colored()) == r'\x1b[31mred\nand more'
    assert annotation_text(method, '\x1b[31m') == r'\x1b[31m'
    assert len(value_text('x' * 100_000)) == 200
    assert len(annotation_text(method, 'x' * 100_000)) == 200
    assert value_text(10**10_000).startswith(('1000', '<int'))


def test_name_of_a_type_without_a_repr_is_printable_and_cut():
    named = type('\x1b[31m\n' * 100, (Evil,), {})
    text = value_text(named(ValueError('no')))
    assert text.isprintable()
    assert len(text) <= 200


def test_long_annotation_takes_linear_time():
    class Long:
        def __repr__(self) -> str:
            return 'x' * 1_000_000  # an hour, if the time were quadratic

    assert annotation_text(method, Long()).startswith('xxx')
    assert annotation_text(method, typing.Literal['x' * 1_000_000]).startswith("Literal['xxx")


def test_shadowed_class_has_its_full_name():
    hidden = type('Decimal', (), {'__module__': 'shop.money'})
    assert annotation_text(method, hidden) == 'shop.money.Decimal'
    assert annotation_text(method, decimal.Decimal) == 'Decimal'


def test_none_differs_from_a_missing_annotation_or_default():
    assert annotation_text(method, None) == 'None'
    assert annotation_text(method, inspect.Parameter.empty) is None
    assert value_text(None) == 'None'
    assert value_text(inspect.Parameter.empty) is None
