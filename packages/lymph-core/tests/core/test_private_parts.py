"""A changed private part of another library is noticed, reported once, and not used."""

from __future__ import annotations

import functools
from typing import Any

import gevent
import pytest

from lymph.core._system.private_parts import VARIABLE, as_expected, assigns, takes


def send(self: Any, data: bytes, *, flags: int = 0) -> None:
    self.sent = data


@functools.wraps(send)
def wrapped(*args: Any, **kwargs: Any) -> None:
    send(*args, **kwargs)


@pytest.fixture(autouse=True)
def _unforced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def missing() -> bool:
    return bool(gevent.this_is_not_there)


@pytest.mark.parametrize('check', [lambda: False, missing, lambda: takes(len, 'x')])
def test_a_part_that_has_changed_is_one_warning_with_library_version_and_part(
    check: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert not as_expected('gevent', 'Hub.secret', check)
    (record,) = caplog.records
    assert record.levelname == 'WARNING'
    assert f'gevent {gevent.__version__}: Hub.secret is not as expected' in record.getMessage()


def test_part_as_expected_is_used_without_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert as_expected('gevent', 'Hub.switch', lambda: True)
    assert not caplog.records


@pytest.mark.parametrize(
    ('value', 'used'),
    [('all', False), ('redis, gevent', False), ('redis', True), ('', True)],
)
def test_the_variable_forces_the_public_way_without_a_warning(
    value: str, used: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(VARIABLE, value)
    assert as_expected('gevent', 'Hub.switch', lambda: True) is used
    assert not caplog.records


def test_parameters_are_compared_from_the_first_on() -> None:
    assert takes(send, 'self')
    assert takes(wrapped, 'self', 'data')
    assert not takes(send, 'data')
    assert not takes(send, 'self', 'data', 'flags')  # by name alone


def test_attributes_that_a_function_uses_are_found() -> None:
    assert assigns(wrapped, 'sent')
    assert not assigns(send, 'received')
