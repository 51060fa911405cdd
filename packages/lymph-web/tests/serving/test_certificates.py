"""Certificates: errors that name what is wrong with a file, and renewal."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lymph.testing.waiting import eventually
from lymph.web._serving.certificates import (
    CertificateError,
    CertificateFiles,
    Certificates,
    read_context,
)
from lymph.web._serving.tls import TlsWire

Pair = tuple[Path, Path]


@pytest.fixture
def files(tmp_path: Path, pair: Pair) -> CertificateFiles:
    """Copies of a certificate and its key."""
    found = CertificateFiles(str(tmp_path / 'cert.pem'), str(tmp_path / 'key.pem'))
    write(found, pair)
    return found


@pytest.fixture
def started() -> Iterator[Callable[..., Certificates]]:
    running: list[Certificates] = []

    def start(files: CertificateFiles, every: float = 3600) -> Certificates:
        running.append(Certificates(files, every))
        running[-1].start()
        return running[-1]

    yield start
    for each in running:
        each.stop()


def write(files: CertificateFiles, pair: Pair) -> None:
    for path, source in zip((files.certificate, files.key), pair, strict=True):
        Path(path).write_bytes(source.read_bytes())
        Path(path).chmod(0o600)


def shown_by(wire: TlsWire) -> str:
    """Return the name in the certificate that a client sees."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    wire.feed(outgoing.read())
    incoming.write(wire.outgoing())
    client.do_handshake()
    command = ['openssl', 'x509', '-inform', 'der', '-noout', '-subject', '-nameopt', 'multiline']
    der: Any = client.getpeercert(binary_form=True)
    found = subprocess.run(command, input=der, check=True, capture_output=True)
    return found.stdout.decode().split('=')[-1].strip()


def test_missing_file_is_named(files):
    Path(files.key).unlink()
    with pytest.raises(CertificateError) as caught:
        read_context(files)
    assert caught.value.which == 'key'
    assert str(caught.value) == f"cannot read '{files.key}' (No such file or directory)"


def test_folder_or_device_is_no_certificate(tmp_path, files):
    for path, found in ((str(tmp_path), 'Is a directory'), ('/dev/zero', 'expected a file at')):
        with pytest.raises(CertificateError, match=found):
            read_context(CertificateFiles(path, files.key))


def test_key_of_another_certificate_is_refused(files, other_pair):
    Path(files.key).write_bytes(other_pair[1].read_bytes())
    with pytest.raises(CertificateError, match='does not belong to the certificate') as caught:
        read_context(files)
    assert caught.value.which == 'key'


def test_key_of_another_kind_is_refused(files, make_pair):
    Path(files.key).write_bytes(make_pair('ed', 'ed25519')[1].read_bytes())
    with pytest.raises(CertificateError, match='does not belong to the certificate'):
        read_context(files)


@pytest.mark.parametrize('form', ['-traditional', ''])
def test_encrypted_key_is_refused_and_no_password_is_asked_for(files, form):
    command = f'openssl ec -in {files.key} -aes128 -passout pass:secret -out {files.key}.enc'
    if not form:
        command = command.replace(' ec ', ' pkey ')
    subprocess.run(command.split(), check=True, capture_output=True)
    with pytest.raises(CertificateError, match='expected a key without a password'):
        read_context(CertificateFiles(files.certificate, f'{files.key}.enc'))


@pytest.mark.parametrize(
    ('which', 'content', 'found'),
    [
        ('certificate', b'', 'found none'),
        ('certificate', b'0\x82\x01\x8d', 'found none'),
        ('certificate', 'the key', 'found a private key'),
        ('key', b'-----BEGIN PUBLIC KEY-----', 'found none'),
        ('key', 'the certificate', 'found a certificate'),
        ('certificate', b'-----BEGIN CERTIFICATE-----\nnone', 'cannot use'),
        ('key', b'-----BEGIN PRIVATE KEY-----\nnone', 'cannot use'),
        ('key', b'-----BEGIN PRIVATE KEY-----' * 100_000, 'expected at most'),
    ],
)
def test_file_without_what_is_expected_is_refused(files, pair, which, content, found):
    texts = {'the certificate': pair[0].read_bytes(), 'the key': pair[1].read_bytes()}
    Path(getattr(files, which)).write_bytes(texts.get(content, content))
    with pytest.raises(CertificateError, match=found) as caught:
        read_context(files)
    assert '\n' not in str(caught.value)


def test_certificate_and_key_may_be_in_one_file(files, pair):
    Path(files.certificate).write_bytes(pair[1].read_bytes() + pair[0].read_bytes())
    read_context(CertificateFiles(files.certificate, files.certificate))


def test_key_that_every_user_can_read_causes_a_warning(files, started, caplog):
    started(files)
    assert caplog.messages == []
    Path(files.key).chmod(0o644)
    started(files)
    assert caplog.messages == [
        f"all users of this machine can read the key in '{files.key}'; use chmod o= to prevent it"
    ]


def test_renewed_certificate_is_used_for_new_connections(files, other_pair, started):
    certificates = started(files, 0.01)
    old = certificates.layer()
    write(files, other_pair)
    eventually(lambda: shown_by(certificates.layer()) == 'two')
    assert shown_by(old) == 'one'


def test_certificate_behind_a_link_that_changes_is_used(tmp_path, pair, other_pair, started):
    current = tmp_path / 'current'
    current.symlink_to(pair[0].parent)
    certificates = started(CertificateFiles(str(current / 'cert.pem'), str(current / 'key.pem')))
    current.unlink()
    current.symlink_to(other_pair[0].parent)
    certificates.look()
    assert shown_by(certificates.layer()) == 'two'


def test_pair_that_does_not_fit_keeps_the_old_one_until_it_does(
    files, pair, other_pair, started, caplog
):
    certificates = started(files)
    write(files, (other_pair[0], pair[1]))
    for _ in range(3):
        certificates.look()
        assert shown_by(certificates.layer()) == 'one'
    (line,) = caplog.messages
    assert 'is kept' in line
    assert 'does not belong' in line
    write(files, other_pair)
    certificates.look()
    assert shown_by(certificates.layer()) == 'two'
    Path(files.key).unlink()
    certificates.look()
    assert shown_by(certificates.layer()) == 'two'
    assert 'No such file' in caplog.messages[-1]


def test_change_during_the_reading_of_a_pair_that_does_not_fit_is_seen(
    files, pair, other_pair, started, monkeypatch
):
    certificates = started(files)
    write(files, (other_pair[0], pair[1]))

    def read_too_early(files: CertificateFiles) -> ssl.SSLContext:
        try:
            return read_context(files)
        finally:
            write(files, other_pair)

    monkeypatch.setattr('lymph.web._serving.certificates.read_context', read_too_early)
    certificates.look()
    monkeypatch.undo()
    assert shown_by(certificates.layer()) == 'one'
    certificates.look()
    assert shown_by(certificates.layer()) == 'two'


def test_unchanged_files_are_not_read_again(files, started, monkeypatch):
    certificates = started(files)
    monkeypatch.setattr('lymph.web._serving.certificates.read_context', None)
    certificates.look()
