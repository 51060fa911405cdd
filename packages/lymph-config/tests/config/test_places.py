from __future__ import annotations

import pytest

from lymph.config import Location
from lymph.config.places import noted, place_of

WHERE = Location('a.class')


class Stubborn(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        pass


@pytest.mark.parametrize('error', [ValueError('x'), SystemExit(3), Stubborn()], ids=type)
def test_the_innermost_place_is_noted_on_any_exception(error: BaseException) -> None:
    assert place_of(error) is None
    with (
        pytest.raises(type(error)) as caught,
        noted('outside', 'loading'),
        noted(WHERE, "importing 'echo:Echo'"),
    ):
        raise error
    assert caught.value is error
    assert place_of(error) == (WHERE, "importing 'echo:Echo'")


def test_nothing_is_noted_without_a_place() -> None:
    with pytest.raises(ValueError, match='x') as caught, noted(None, 'loading'):
        raise ValueError('x')
    assert place_of(caught.value) is None
