"""Pages of other origins: the section `cors`. Source: the Fetch Standard, section 3.2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Request, Response

from lymph.config import ConfigView
from lymph.config.printable import quoted
from lymph.core.options import refuse_unknown
from lymph.web._answering.features import Features
from lymph.web._browsers.origins import AllowedOrigins
from lymph.web._browsers.vary import add_vary
from lymph.web._http.opening import is_field_name

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

__all__ = ['Cors']

_METHODS: Final = ('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE')
#: may be sent without asking, if their values are simple
_SIMPLE: Final = ('Accept', 'Accept-Language', 'Content-Language', 'Content-Type')
_DAY: Final = 86400.0  # seconds; no browser remembers an answer for longer
_ALLOW: Final = 'Access-Control-Allow-'
_ASKED: Final = 'HTTP_ACCESS_CONTROL_REQUEST_'
_KEYS: Final = (
    *('origins', 'methods', 'headers', 'expose', 'credentials', 'max_age', 'private_network'),
)


@dataclass(frozen=True)
class Cors:
    """Which pages of other origins may use the interface, and how.

    ===============  ===========================  ==================================================
    key              default                      meaning
    ===============  ===========================  ==================================================
    origins          required                     the origins; see `AllowedOrigins`
    methods          GET, HEAD, POST, PUT, PATCH, the methods; ``['*']``: all
                     DELETE
    headers          none                         more header fields that a page may send than
                                                  Accept, Accept-Language, Content-Language and
                                                  Content-Type; ``['*']``: all
    expose           none                         more header fields that a page may read than the
                                                  simplest ones
    credentials      false                        whether pages may send cookies and passwords
    max_age          600                          seconds for which a browser remembers the answer
    private_network  false                        whether public pages may reach a private address
    ===============  ===========================  ==================================================
    """

    KEYS: ClassVar[tuple[str, ...]] = ('cors',)

    origins: AllowedOrigins
    methods: tuple[str, ...] = _METHODS
    headers: tuple[str, ...] = _SIMPLE
    expose: tuple[str, ...] = ()
    credentials: bool = False
    max_age: float = 600.0
    private_network: bool = False

    @classmethod
    def from_config(cls, view: ConfigView) -> Cors | None:
        """Read the section. Raises ConfigurationError for invalid values."""
        section = view.view('cors')
        if view.get_raw('cors') is None:
            return None
        refuse_unknown(section, _KEYS, plain=True)
        credentials = section.get_bool('credentials', False)
        headers = _names(section, 'headers')
        return cls(
            _origins(section, credentials),
            _names(section, 'methods') or _METHODS,
            headers if '*' in headers else (*_SIMPLE, *headers),
            _names(section, 'expose'),
            credentials,
            section.get_seconds('max_age', cls.max_age, zero=True, maximum=_DAY),
            section.get_bool('private_network', False),
        )

    def features(self) -> Features:
        """Answer preflights before anything else, and add to the fields of all answers."""
        return Features(preceding=(self.precede,), finishing=(self.finish,))

    def precede(self, request: Request) -> WSGIApplication | None:
        """Return the answer to a preflight, None for another request; raises Forbidden."""
        environ = request.environ
        if request.method != 'OPTIONS' or f'{_ASKED}METHOD' not in environ:
            return None
        origin = environ.get('HTTP_ORIGIN')
        if origin is None:
            return None
        if not self.origins.allows(origin):
            raise Forbidden('Pages of this origin may not use this service.')
        asked_method = environ[f'{_ASKED}METHOD']
        asked_headers = environ.get(f'{_ASKED}HEADERS', '')
        response = Response(status=204)
        del response.headers['Content-Type']
        response.headers[f'{_ALLOW}Methods'] = _reflected(self.methods, asked_method)
        response.headers[f'{_ALLOW}Headers'] = _reflected(self.headers, asked_headers)
        response.headers['Access-Control-Max-Age'] = str(int(self.max_age))
        if self.private_network and environ.get(f'{_ASKED}PRIVATE_NETWORK') == 'true':
            response.headers[f'{_ALLOW}Private-Network'] = 'true'
        response.headers['Vary'] = ', '.join(
            f'Access-Control-Request-{what}' for what in ('Method', 'Headers')
        )
        return response

    def finish(self, environ: WSGIEnvironment, status: str, fields: list[tuple[str, str]]) -> None:
        """Tell a browser whether the page may read the answer, unless the handler has done so."""
        if self.origins.every:  # never with credentials
            allowed = '*' if 'HTTP_ORIGIN' in environ else ''
        else:
            add_vary(fields, 'Origin')
            origin = environ.get('HTTP_ORIGIN')
            allowed = origin if origin is not None and self.origins.allows(origin) else ''
        if not allowed or any(name.lower() == 'access-control-allow-origin' for name, _ in fields):
            return
        fields.append((f'{_ALLOW}Origin', allowed))
        if self.credentials:
            fields.append((f'{_ALLOW}Credentials', 'true'))
        if self.expose:
            fields.append(('Access-Control-Expose-Headers', ', '.join(self.expose)))


def _origins(section: ConfigView, credentials: bool) -> AllowedOrigins:
    entries = _texts(section, 'origins')
    if not entries:
        raise section.error('origins', "expected origins such as 'https://shop.example.org'")
    for entry in entries:
        try:
            AllowedOrigins.parse([entry])
        except ValueError:
            example = (
                "expected origins such as 'https://shop.example.org' or 'https://*.example.org'"
            )
            raise section.error('origins', f'{example}, found {quoted(entry)}') from None
        if credentials and entry.lower() in ('*', 'null'):
            raise section.error(
                'origins',
                f'with credentials, {entry!r} would let any page act as its visitor; '
                'name the origins, or leave credentials out',
            )
    return AllowedOrigins.parse(entries)


def _names(section: ConfigView, key: str) -> tuple[str, ...]:
    names = _texts(section, key)
    for name in names:
        if not is_field_name(name):
            raise section.error(key, f'expected names, found {quoted(name)}')
    return tuple(names)


def _texts(section: ConfigView, key: str) -> list[str]:
    texts = section.get_list(key, [])
    for text in texts:
        if not isinstance(text, str):
            raise section.error(key, f'expected a list of text, found {quoted(text)} in it')
    return texts


def _reflected(allowed: tuple[str, ...], asked: str) -> str:
    """Return the list of what is allowed; for ``*``, what was asked for, if it is made of names."""
    if '*' not in allowed:
        return ', '.join(allowed)
    names = [name.strip(' \t') for name in asked.split(',')]
    return ', '.join(name for name in names if is_field_name(name))
