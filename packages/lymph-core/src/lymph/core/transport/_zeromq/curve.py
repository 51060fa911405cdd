"""CURVE: connections that are encrypted, and whose services prove who they are.

Source: RFC 26/CURVEZMQ. Services have a secret key; whoever calls them knows the public key that
belongs to it, and reaches nobody else. Callers need no key of their own: they get a new one when
they have none. Keys are written as 40 characters of Z85, as `zmq.curve_keypair()` makes them.
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
    """The keys of one side: `secret` its own, `server` the public one of the services it calls."""

    secret: str | None = None
    server: str | None = None

    @classmethod
    def from_config(cls, config: ConfigView) -> CurveKeys:
        """Read a `curve` section: `secret_key`, `server_key`; raises ConfigurationError."""
        refuse_unknown(config, ('secret_key', 'server_key'), plain=True)
        keys = cls(_key(config, 'secret_key'), _key(config, 'server_key'))
        if keys.secret is None and keys.server is None:
            raise config.error((), 'expected secret_key, server_key or both')
        if not zmq.has('curve'):
            raise config.error((), 'libzmq was built without CURVE; install one that has it')
        return keys

    def listening(self) -> list[tuple[int, int | bytes]]:
        """Return the options of a socket that is connected to.

        Raises ConfigurationError without a key of its own.
        """
        if self.secret is None:
            raise ConfigurationError(
                'expected a key: a service needs one to prove who it is',
                'container.rpc.curve.secret_key',
            )
        return [(zmq.CURVE_SERVER, 1), (zmq.CURVE_SECRETKEY, self.secret.encode())]

    def connecting(self) -> list[tuple[int, int | bytes]]:
        """Return the options of a socket that connects; raises ValueError without `server`."""
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
    # not told in the error: it may be a secret
    raise config.error(
        name, f'expected {_Z85} characters of Z85, as zmq.curve_keypair() makes them'
    )
