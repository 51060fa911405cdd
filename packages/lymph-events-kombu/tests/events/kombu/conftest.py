"""Shared by the tests of both brokers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest

_MAKE_CERTIFICATE = (
    'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2'
    ' -subj /CN=broker -addext subjectAltName=DNS:broker.test,IP:127.0.0.1'
    ' -keyout broker.key -out broker.pem'
)


@pytest.fixture
def in_thread() -> Callable[..., Any]:
    """Run a blocking function in a thread, so that the greenlets of the test continue."""
    pool: Any = gevent.get_hub().threadpool

    def run(function: Callable[..., Any], *args: Any) -> Any:
        return pool.apply(function, args)

    return run


@pytest.fixture(scope='session')
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a self-signed certificate, broker.pem, and its key, broker.key.

    The program openssl makes it. It is valid for broker.test and 127.0.0.1.
    """
    folder = tmp_path_factory.mktemp('certificates')
    subprocess.run(_MAKE_CERTIFICATE.split(), cwd=folder, check=True, capture_output=True)
    return folder
