"""Certificates for the tests of TLS, made by the program openssl."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Pair = tuple[Path, Path]


@pytest.fixture(scope='session')
def make_pair(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Pair]:
    """Return a function that makes a self-signed certificate and its key.

    It is valid for localhost, 127.0.0.1 and ::1.
    """

    def make(name: str, kind: str = 'ec -pkeyopt ec_paramgen_curve:prime256v1') -> Pair:
        folder = tmp_path_factory.mktemp(name)
        certificate, key = folder / 'cert.pem', folder / 'key.pem'
        command = (
            f'openssl req -x509 -newkey {kind} -nodes -days 2 -subj /CN={name}'
            ' -addext subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1'
            f' -keyout {key} -out {certificate}'
        )
        subprocess.run(command.split(), check=True, capture_output=True)
        return certificate, key

    return make


@pytest.fixture(scope='session')
def pair(make_pair: Callable[..., Pair]) -> Pair:
    """The files of a certificate and its key."""
    return make_pair('one')


@pytest.fixture(scope='session')
def other_pair(make_pair: Callable[..., Pair]) -> Pair:
    """The files of another certificate and its key."""
    return make_pair('two')


@pytest.fixture(scope='session')
def trusting() -> Callable[..., ssl.SSLContext]:
    """Return a function that makes the context of a client which trusts some certificates."""

    def make(*certificates: Path) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for each in certificates:
            context.load_verify_locations(each)
        return context

    return make
