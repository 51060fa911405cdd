"""The public names of `lymph.testing`, and what importing it loads."""

from __future__ import annotations

import subprocess
import sys

import pytest

import lymph.testing


def run(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    command = [sys.executable, '-c', code]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.parametrize('name', lymph.testing.__all__)
def test_every_public_name_can_be_imported(name):
    assert name in dir(lymph.testing)
    assert getattr(lymph.testing, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'lymph\.testing' has no attribute 'Nothing'"):
        _ = lymph.testing.Nothing


def test_importing_it_loads_no_backend_no_gevent_and_no_core():
    loaded = run(
        'import lymph.testing, sys; print(*(m for m in sys.modules if m.partition(".")[0] in '
        '("gevent", "zmq", "werkzeug", "kazoo", "kombu", "hamcrest") or m == "lymph.core"))'
    )
    assert loaded.split() == []


def test_the_other_cases_need_no_werkzeug():
    run(
        'import sys; sys.modules["werkzeug"] = None; from lymph.testing import '
        'RPCServiceTestCase, RpcMockTestCase, EventMockTestCase, MultiServiceRPCTestCase'
    )


def test_without_werkzeug_the_web_case_names_the_extra():
    code = (
        'import sys; sys.modules["werkzeug"] = None\n'
        'try:\n    from lymph.testing import WebServiceTestCase\n'
        'except ImportError as error:\n    print(error)'
    )
    assert run(code).strip() == (
        'lymph.testing.WebServiceTestCase needs werkzeug; install lymph-testing[web]'
    )
