"""Defaults of cookies: the section `cookies`. Source: RFC 6265, and its revision for SameSite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from lymph.config import ConfigView
from lymph.core.options import refuse_unknown
from lymph.web._answering.features import Features

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ['CookieDefaults']

_SITES: Final = ('Strict', 'Lax', 'None')


@dataclass(frozen=True)
class CookieDefaults:
    """Attributes for the cookies of all answers that do not have them.

    ========  ========  ============================================================================
    key       default   meaning
    ========  ========  ============================================================================
    secure    false     browsers send the cookie over TLS only
    httponly  false     scripts of the page cannot read it
    samesite  none      ``Strict``, ``Lax`` or ``None``: whether it is sent with requests that other
                        sites cause; without it, browsers decide
    ========  ========  ============================================================================
    """

    KEYS: ClassVar[tuple[str, ...]] = ('cookies',)

    #: name in lower case, and text to add
    attributes: tuple[tuple[str, str], ...]

    @classmethod
    def from_config(cls, view: ConfigView) -> CookieDefaults | None:
        """Read the section. Raises ConfigurationError for invalid values."""
        section = view.view('cookies')
        refuse_unknown(section, ('secure', 'httponly', 'samesite'), plain=True)
        secure = section.get_bool('secure', False)
        site = section.get_choice('samesite', _SITES, None)
        if site == 'None' and not secure:
            raise section.error('samesite', 'this needs secure: true; browsers drop other cookies')
        attributes = [
            ('secure', 'Secure') if secure else None,
            ('httponly', 'HttpOnly') if section.get_bool('httponly', False) else None,
            None if site is None else ('samesite', f'SameSite={site}'),
        ]
        found = tuple(each for each in attributes if each is not None)
        return cls(found) if found else None

    def features(self) -> Features:
        """Complete the cookies of all answers."""
        return Features(finishing=(self.finish,))

    def finish(self, environ: WSGIEnvironment, status: str, fields: list[tuple[str, str]]) -> None:
        """Add to each ``Set-Cookie`` the attributes that it lacks."""
        for index, (name, value) in enumerate(fields):
            if name.lower() == 'set-cookie':
                fields[index] = name, self.complete(value)

    def complete(self, cookie: str) -> str:
        """Return the value of a ``Set-Cookie`` field with the attributes that it lacks."""
        said = {each.partition('=')[0].strip().lower() for each in cookie.split(';')[1:]}
        return '; '.join([cookie, *(text for name, text in self.attributes if name not in said)])
