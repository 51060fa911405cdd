from __future__ import annotations

import pytest

from lymph.cli._running.reloading import changes


@pytest.mark.parametrize(
    ('before', 'now', 'changed'),
    [
        ({}, {'a.py': 1}, []),
        ({'a.py': 1}, {'a.py': 1, 'b.py': 2}, []),
        ({'a.py': 1, 'b.py': 2}, {'a.py': 3, 'b.py': 1}, ['a.py', 'b.py']),
        ({'a.py': 1}, {}, []),
    ],
)
def test_a_file_has_changed_when_its_time_differs_from_the_one_it_had(
    before: dict[str, int], now: dict[str, int], changed: list[str]
) -> None:
    assert changes(before, now) == changed
