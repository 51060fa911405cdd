"""The example of docs/names.md does what the guide says, and its lists of names are true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import lymph
from lymph.core._declaring.checking import is_reserved, own_names
from lymph.web import WebServiceInterface

GUIDE = (Path(__file__).parents[1] / 'docs' / 'names.md').read_text()
(EXAMPLE,) = re.findall(r'^```python\n(.*?)^```', GUIDE, re.MULTILINE | re.DOTALL)


def audited(func: Any) -> Any:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    return wrapper


def test_methods_of_the_guide_have_the_names_of_their_attributes() -> None:
    found: dict[str, Any] = {'lymph': lymph, 'audited': audited}
    exec(compile(EXAMPLE, 'names.md', 'exec', dont_inherit=True), found)
    assert set(found['Shop'].methods) == {'take', 'order'}


def names_after(text: str) -> list[str]:
    listed = re.split(re.escape(text), GUIDE, maxsplit=1)[1].split('.')[0].split(', the hooks')[0]
    return re.findall(r'`(\w+)`', listed)


@pytest.mark.parametrize('name', names_after('names that interfaces use themselves:'))
def test_each_name_that_the_guide_calls_reserved_is_reserved(name: str) -> None:
    assert is_reserved(WebServiceInterface, name)
    assert name in own_names(WebServiceInterface)


@pytest.mark.parametrize('name', names_after('may be declared:'))
def test_each_name_that_the_guide_calls_free_is_free(name: str) -> None:
    assert name not in own_names(WebServiceInterface)
    assert hasattr(lymph.Interface, name)
