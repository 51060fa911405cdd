"""CURVE: encrypted connections to authenticated services.

Source: RFC 26/CURVEZMQ. All services share a secret key. Callers know its public key, and can
connect only to services that have the secret key. Callers need no key of their own: without one, a
new one is made. Keys are written as 40 characters of Z85, as `zmq.curve_keypair()` makes them.
"""

from __future__ import annotations

from dataclasses import dataclass

import zmq

from lymph.config import ConfigurationError, ConfigView
from lymph.core.options import refuse_unknown

__all__ = ['CurveKeys']

_Z85 = 40  # characters of a key


@dataclass(frozen=True)
class CurveKeys:
    """The keys of one side: its own `secret` one, and `server`, the public one of the services."""

    secret: str | None = None
    server: str | None = None

    @classmethod
    def from_config(cls, config: ConfigView) -> CurveKeys:
        """Read a `curve` section with `secret_key`, `server_key` or both.

        Raises ConfigurationError for invalid keys, and if libzmq has no CURVE.
        """
        refuse_unknown(config, ('secret_key', 'server_key'), plain=True)
        keys = cls(_key(config, 'secret_key'), _key(config, 'server_key'))
        if keys.secret is None and keys.server is None:
            raise config.error((), 'expected secret_key, server_key or both')
        if not zmq.has('curve'):
            raise config.error((), 'libzmq was built without CURVE; install one that has it')
        return keys

    def listening(self) -> list[tuple[int, int | bytes]]:
        """Return the options of a listening socket; raises ConfigurationError without `secret`."""
        if self.secret is None:
            raise ConfigurationError(
                'expected a key: a service needs one to prove who it is',
                'container.rpc.curve.secret_key',
            )
        return [(zmq.CURVE_SERVER, 1), (zmq.CURVE_SECRETKEY, self.secret.encode())]

    def connecting(self) -> list[tuple[int, int | bytes]]:
        """Return the options of a connecting socket; raises ValueError without `server`."""
        if self.server is None:
            raise ValueError('expected curve.server_key: the public key of the services to call')
        if self.secret is None:
            public, secret = zmq.curve_keypair()
        else:
            secret = self.secret.encode()
            public = zmq.curve_public(secret)
        return [
            (zmq.CURVE_SERVERKEY, self.server.encode()),
            (zmq.CURVE_PUBLICKEY, public),
            (zmq.CURVE_SECRETKEY, secret),
        ]


def _key(config: ConfigView, name: str) -> str | None:
    text = config.get_str(name, None)
    if text is None:
        return None
    try:
        if len(text) == _Z85:
            zmq.curve_public(text.encode())
            return text
    except (ValueError, UnicodeError, zmq.ZMQError):
        pass
    # the error does not quote the key, which may be secret
    raise config.error(
        name, f'expected {_Z85} characters of Z85, as zmq.curve_keypair() makes them'
    )
