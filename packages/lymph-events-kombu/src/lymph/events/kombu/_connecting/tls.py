"""TLS to the broker, on gevent's sockets whether or not the standard library is patched.

The options are kombu's, as py-amqp documents them for `amqp.transport.SSLTransport`; file names are
those of PEM files:

====================  ========================================================================
ca_certs              the trusted authorities (default: those of the system)
certfile, keyfile     the client's certificate and key, if the broker asks for one
server_hostname       the name that the certificate must contain (default: the broker's host)
check_hostname        whether the name is checked (default: true, unless cert_reqs is ``none``)
cert_reqs             ``required`` (default), ``optional``, or ``none``: no check at all
ciphers               the ciphers, as OpenSSL lists them
====================  ========================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gevent import ssl

__all__ = ['FILES', 'OPTIONS', 'REQUIREMENTS', 'check', 'secure', 'verify_mode']

OPTIONS = frozenset(
    (
        'ca_certs',
        'cert_reqs',
        'certfile',
        'check_hostname',
        'ciphers',
        'keyfile',
        'server_hostname',
    )
)

FILES = ('ca_certs', 'certfile', 'keyfile')

#: the values of `cert_reqs`; the prefix ``CERT_`` of Python's names is accepted too
REQUIREMENTS = {
    'none': ssl.CERT_NONE,
    'optional': ssl.CERT_OPTIONAL,
    'required': ssl.CERT_REQUIRED,
}


def secure(sock: Any, options: bool | Mapping[str, Any], host: str) -> Any:
    """Return a TLS socket over a connected one, after the handshake. Raises OSError."""
    chosen: Mapping[str, Any] = options if isinstance(options, Mapping) else {}
    name = chosen.get('server_hostname') or host
    return _context(chosen).wrap_socket(sock, server_hostname=name)


def check(options: Mapping[str, Any]) -> None:
    """Raise OSError or ValueError for options that no connection can use."""
    _context(options)


def verify_mode(options: Mapping[str, Any]) -> Any:
    """Return `cert_reqs` of the options as `ssl.SSLContext.verify_mode` takes it."""
    needed = options.get('cert_reqs', ssl.CERT_REQUIRED)
    if isinstance(needed, str):
        return REQUIREMENTS[needed.lower().removeprefix('cert_')]
    return needed


def _context(options: Mapping[str, Any]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    needed = verify_mode(options)
    context.check_hostname = options.get('check_hostname', needed != ssl.CERT_NONE)
    context.verify_mode = needed
    if options.get('certfile'):
        context.load_cert_chain(options['certfile'], options.get('keyfile'))
    if options.get('ca_certs'):
        context.load_verify_locations(options['ca_certs'])
    else:
        context.load_default_certs()
    if options.get('ciphers'):
        context.set_ciphers(options['ciphers'])
    return context
