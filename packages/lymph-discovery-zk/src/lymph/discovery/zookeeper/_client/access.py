"""Who this process is to ZooKeeper, and who else may see and change what it registers."""

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
    """A digest identity (``user:password``, or None) and the ACL of the nodes it makes.

    The ACL is 'private' (the same user alone), 'readable' (by everybody) or 'open'; by default
    private with an identity, open without.
    """

    digest: str | None = field(default=None, repr=False)
    kind: str | None = None

    @classmethod
    def from_config(cls, config: ConfigView) -> Access:
        """Read `auth` (`user`, `password`) and `acl`; raises ConfigurationError."""
        digest = _read_digest(config)
        kind = config.get_choice('acl', tuple(_ACLS), None)
        if kind in ('private', 'readable') and digest is None:
            raise config.error('acl', f'{kind!r} needs a user; add auth with user and password')
        return cls(digest, kind)

    @property
    def acl(self) -> list[Any]:
        """The ACL in kazoo's terms."""
        return _ACLS[self.kind or ('private' if self.digest else 'open')]

    def authenticate(self, client: Any) -> None:
        """Have `client` say who it is whenever it connects, or now if it is connected."""
        if self.digest is None:
            return
        if client.connected:
            client.add_auth_async('digest', self.digest)
        else:
            client.auth_data.add(('digest', self.digest))


def _read_digest(config: ConfigView) -> str | None:
    """Return ``user:password`` from `auth`; its errors do not show what may be a password."""
    raw = config.get_raw('auth')
    if raw is None:
        return None
    if not isinstance(raw, dict):
        raise config.error('auth', 'expected a mapping with user and password')
    auth = config.view('auth')
    refuse_unknown(auth, ('password', 'user'), plain=True)
    user, password = raw.get('user'), raw.get('password')
    if not isinstance(user, str) or not is_line(user) or ':' in user:
        raise auth.error('user', 'expected a name without a colon, as text')
    if not isinstance(password, str) or not is_line(password):
        raise auth.error('password', 'expected text (in quotes, if it looks like a number)')
    return f'{user}:{password}'
