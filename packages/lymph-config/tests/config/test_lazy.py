from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from lymph.config.lazy import lazy

Write = Callable[[str, str], object]


def test_module_is_imported_on_the_first_call(module: Write) -> None:
    module('late', 'def add(a, *, b):\n    return a + b\n')
    add: Callable[..., int] = lazy('late:add')
    assert 'late' not in sys.modules
    assert add(1, b=2) == 3
    assert 'late' in sys.modules


@pytest.mark.parametrize(
    ('reference', 'error'), [('nowhere_to_be:f', ModuleNotFoundError), ('os:nix', AttributeError)]
)
def test_wrong_reference_is_an_error_of_the_call(reference: str, error: type[Exception]) -> None:
    function = lazy(reference)
    with pytest.raises(error):
        function()
