"""The identity of this process in ZooKeeper, and the ACL of the nodes that it creates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kazoo.security import CREATOR_ALL_ACL, OPEN_ACL_UNSAFE, READ_ACL_UNSAFE

from lymph.config import ConfigView
from lymph.config.printable import is_line
from lymph.core.options import refuse_unknown

__all__ = ['Access']

_ACLS: dict[str, list[Any]] = {
    'private': CREATOR_ALL_ACL,
    'readable': CREATOR_ALL_ACL + READ_ACL_UNSAFE,
    'open': OPEN_ACL_UNSAFE,
}


@dataclass(frozen=True)
class Access:
    """A digest identity and the ACL of the nodes that are created with it.

    `digest` is ``user:password``, or None for no identity. `kind` is 'private' (only the same
    user has access), 'readable' (everybody may read), 'open' (everybody may do everything), or
    None: private with an identity, open without one.
    """

    digest: str | None = field(default=None, repr=False)
    kind: str | None = None

    @classmethod
    def from_config(cls, config: ConfigView) -> Access:
        """Return the access that `auth` (`user`, `password`) and `acl` configure.

        Raises ConfigurationError for invalid values, and for an `acl` that needs a user when
        `auth` is missing. The error never shows the password.
        """
        digest = _read_digest(config)
        kind = config.get_choice('acl', tuple(_ACLS), None)
        if kind in ('private', 'readable') and digest is None:
            raise config.error('acl', f'{kind!r} needs a user; add auth with user and password')
        return cls(digest, kind)

    @property
    def acl(self) -> list[Any]:
        """The ACL as a list of kazoo's `ACL` objects."""
        return _ACLS[self.kind or ('private' if self.digest else 'open')]

    def authenticate(self, client: Any) -> None:
        """Make `client` send the identity each time it connects, and now if it is connected.

        Does nothing without an identity. Does not wait for the server's answer: a refusal shows
        up as an AuthFailedError of a later request.
        """
        if self.digest is None:
            return
        if client.connected:
            client.add_auth_async('digest', self.digest)
        else:
            client.auth_data.add(('digest', self.digest))


def _read_digest(config: ConfigView) -> str | None:
    """Return ``user:password`` from `auth`, or None. The errors never show the password."""
    raw = config.get_raw('auth')
    if raw is None:
        return None
    if not isinstance(raw, dict):
        raise config.error('auth', 'expected a mapping with user and password')
    auth = config.view('auth')
    refuse_unknown(auth, ('password', 'user'), plain=True)
    user, password = raw.get('user'), raw.get('password')
    # ZooKeeper's scheme `digest` ends the user at the first colon.
    if not isinstance(user, str) or not is_line(user) or ':' in user:
        raise auth.error('user', 'expected a name without a colon, as text')
    if not isinstance(password, str) or not is_line(password):
        raise auth.error('password', 'expected text (in quotes, if it looks like a number)')
    return f'{user}:{password}'
