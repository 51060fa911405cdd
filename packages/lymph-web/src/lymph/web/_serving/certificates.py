"""The certificate of a server: read from files, and again when they are renewed.

A renewal replaces two files one after the other, so that for a moment they do not fit together.
Connections use the last pair that did. The files are compared by what the file system says of
them, which also sees a link that points elsewhere (as secrets of Kubernetes do).
"""

from __future__ import annotations

import logging
import os
import re
import ssl
import stat
from dataclasses import dataclass
from typing import Literal

import gevent

from lymph.config.printable import quoted
from lymph.core._system.blocking import in_thread
from lymph.core.failures import Killed, error_line, log_failure
from lymph.core.greenlets import Greenlet
from lymph.exceptions import LymphError
from lymph.web._serving.tls import TlsWire

__all__ = ['MINIMUM', 'CertificateError', 'CertificateFiles', 'Certificates', 'read_context']

logger = logging.getLogger(__name__)

#: The versions that can be the lowest; older ones are not safe (RFC 8996).
MINIMUM = {'1.2': ssl.TLSVersion.TLSv1_2, '1.3': ssl.TLSVersion.TLSv1_3}
_LARGEST = 1024 * 1024  # bytes of a file
_CERTIFICATE = re.compile(rb'-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----')
_KEY = re.compile(rb'-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----')
_ENCRYPTED = re.compile(rb'-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED', re.M)
# what OpenSSL says of keys of another pair, and of another kind than the certificate's
_NO_PAIR = ('KEY_VALUES_MISMATCH', 'KEY_TYPE_MISMATCH', 'NO_CERTIFICATE_ASSIGNED')

Which = Literal['certificate', 'key']
_State = tuple[tuple[int, ...] | None, ...]


class CertificateError(LymphError):
    """A certificate or its key cannot be used; `which` of them, and the text, tell why."""

    def __init__(self, which: Which, text: str) -> None:
        super().__init__(text)
        self.which: Which = which


@dataclass(frozen=True)
class CertificateFiles:
    """Paths of a certificate with its chain, and of its key, both PEM; may be one file.

    `minimum` is the lowest version of TLS: a key of `MINIMUM`.
    """

    certificate: str
    key: str
    minimum: str = '1.2'

    def exposed(self) -> bool:
        """Tell whether any user of the machine can read or write the key."""
        try:
            return bool(stat.S_IMODE(os.stat(self.key).st_mode) & stat.S_IRWXO)
        except OSError:
            return False

    def state(self) -> _State:
        """Return what differs after a change of a file."""
        return tuple(_state(path) for path in (self.certificate, self.key))


def read_context(files: CertificateFiles) -> ssl.SSLContext:
    """Return what TLS connections of a server need. Blocks; raises CertificateError."""
    _check_certificate(files.certificate)
    _check_key(files.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = MINIMUM[files.minimum]
    context.options |= ssl.OP_NO_RENEGOTIATION  # clients could make the server work for nothing
    context.set_alpn_protocols(['http/1.1'])
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except ssl.SSLError as error:
        if error.reason in _NO_PAIR:
            text = f'the key in {_shown(files.key)} does not belong to the certificate in '
            raise CertificateError('key', text + _shown(files.certificate)) from None
        reason = (error.reason or 'unknown reason').replace('_', ' ').lower()
        raise CertificateError(
            'certificate', f'cannot use {_shown(files.certificate)} and its key ({reason})'
        ) from None
    except (OSError, ValueError) as error:  # replaced just now
        raise CertificateError('certificate', f'cannot load it ({error_line(error)})') from None
    return context


class Certificates:
    """The current certificate of one server; looks for another one every `every` seconds."""

    def __init__(self, files: CertificateFiles, every: float) -> None:
        self.files = files
        self._every = every
        self._context: ssl.SSLContext
        self._state: _State
        self._looking: Greenlet | None = None

    def start(self) -> None:
        """Read the files, and look for changes from now on. Raises CertificateError."""
        self._state = in_thread(self.files.state)
        self._context = in_thread(read_context, self.files)
        if in_thread(self.files.exposed):
            logger.warning(
                'all users of this machine can read the key in %s; use chmod o= to prevent it',
                _shown(self.files.key),
            )
        self._looking = Greenlet.spawn(self._look_again_and_again)

    def stop(self) -> None:
        """Stop looking for changes."""
        if self._looking is not None:
            self._looking.kill(block=False)

    def layer(self) -> TlsWire:
        """Return TLS for a connection that was accepted now."""
        return TlsWire(self._context)

    def look(self) -> None:
        """Use the files for new connections if they have changed and fit together."""
        # before reading: a change that comes meanwhile is seen at the next look
        state = in_thread(self.files.state)
        if state == self._state:
            return
        try:
            self._context = in_thread(read_context, self.files)
        except CertificateError as error:
            logger.error('the certificate in use is kept, the new one is not valid: %s', error)
        else:
            logger.info('new connections use the new certificate in %s', self.files.certificate)
        self._state = state

    def _look_again_and_again(self) -> None:
        while True:
            gevent.sleep(self._every)
            try:
                self.look()
            except Killed:
                raise
            except BaseException as error:  # noqa: BLE001 - such as no memory for a thread
                log_failure(logger, error, 'looking for a new certificate failed')


def _state(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _check_certificate(path: str) -> None:
    data = _content('certificate', path)
    if _CERTIFICATE.search(data) is None:
        found = 'a private key' if _KEY.search(data) else 'none'
        raise CertificateError(
            'certificate', f'expected a certificate as PEM text in {_shown(path)}, found {found}'
        )


def _check_key(path: str) -> None:
    data = _content('key', path)
    if _ENCRYPTED.search(data):
        raise CertificateError(
            'key',
            f'expected a key without a password, found an encrypted one in {_shown(path)}; '
            'decrypt it (openssl pkey -in it -out another file) and protect the file instead',
        )
    if _KEY.search(data) is None:
        found = 'a certificate' if _CERTIFICATE.search(data) else 'none'
        raise CertificateError(
            'key', f'expected a private key as PEM text in {_shown(path)}, found {found}'
        )


def _content(which: Which, path: str) -> bytes:
    try:
        # not blocking, if it is a pipe
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, 'rb') as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise CertificateError(which, f'expected a file at {_shown(path)}')
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise CertificateError(which, f'cannot read {_shown(path)} ({error.strerror})') from None
    if len(data) > _LARGEST:
        raise CertificateError(which, f'expected at most {_LARGEST} bytes in {_shown(path)}')
    return data


def _no_password() -> str:
    # without this, OpenSSL asks for it at the terminal
    raise ValueError('the key has a password')


def _shown(path: str) -> str:
    return quoted(path, 200)
