"""TLS at the port of an interface: the section `tls`.

===========  ===========  ======================================================================
key          default      meaning
===========  ===========  ======================================================================
certificate               the file of the certificate, with those between it and its root; PEM
key          certificate  the file of its key; PEM, without a password
minimum      '1.2'        the lowest version of TLS: '1.2' or '1.3'
reload       60           seconds between two looks whether the files have changed
===========  ===========  ======================================================================

A relative path starts at the working directory of the process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lymph.config import ConfigurationError, ConfigView, Location
from lymph.core.options import refuse_unknown
from lymph.web._serving.certificates import (
    MINIMUM,
    CertificateError,
    CertificateFiles,
    Certificates,
)

__all__ = ['Tls']

_KEYS = ('certificate', 'key', 'minimum', 'reload')
_RELOAD = 60.0  # seconds


@dataclass(frozen=True)
class Tls:
    """The files of a certificate, how often to look at them, and where they are configured."""

    KEYS: ClassVar[tuple[str, ...]] = ('tls',)

    files: CertificateFiles
    reload: float
    certificate_at: Location
    key_at: Location

    @classmethod
    def from_config(cls, view: ConfigView) -> Tls | None:
        """Read the section; None if there is none. Raises ConfigurationError."""
        if view.get_raw('tls') is None:
            return None
        section = view.view('tls')
        refuse_unknown(section, _KEYS, plain=True)
        certificate = section.get_line('certificate')
        files = CertificateFiles(
            certificate, section.get_line('key', certificate), _read_minimum(section)
        )
        return cls(
            files,
            section.get_seconds('reload', _RELOAD, least=0.1),
            section.locate('certificate'),
            section.locate('key'),
        )

    def open(self) -> Certificates:
        """Return the certificate, which is looked at until it is stopped.

        Raises ConfigurationError if it cannot be used.
        """
        certificates = Certificates(self.files, self.reload)
        try:
            certificates.start()
        except CertificateError as error:
            where = self.key_at if error.which == 'key' else self.certificate_at
            raise ConfigurationError(str(error), where) from None
        return certificates


def _read_minimum(section: ConfigView) -> str:
    found = section.get_raw('minimum', '1.2')
    # YAML reads 1.2 without quotes as a number
    minimum = str(found) if isinstance(found, (str, float)) else ''
    if minimum not in MINIMUM:
        raise section.error('minimum', f'expected {" or ".join(MINIMUM)}, {_found(section)}')
    return minimum


def _found(section: ConfigView) -> str:
    return f'found {section.describe("minimum")}'
