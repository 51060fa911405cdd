"""Compressed answers: the key `compression`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from lymph.config import ConfigView
from lymph.config.printable import quoted
from lymph.core.options import refuse_unknown
from lymph.web._answering.features import Features
from lymph.web._browsers.compressing import compressed

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

__all__ = ['Compression']

_TYPES: Final = (
    *('text/*', 'application/json', 'application/*+json', 'application/x-ndjson'),
    *('application/xml', 'application/*+xml', 'image/svg+xml'),
    *('application/javascript', 'application/wasm', 'font/ttf', 'font/otf'),
)
_TYPE: Final = re.compile(r'[a-z0-9!#$&^_.+*-]+/[a-z0-9!#$&^_.+*-]+')
#: many are open for long, and each would hold 256 KiB for its compressor
_LASTING: Final = 'text/event-stream'


def _pattern(types: Iterable[str]) -> re.Pattern[str]:
    return re.compile('|'.join(re.escape(each).replace(r'\*', '[^/]*') for each in types))


_USUAL: Final = _pattern(_TYPES)


@dataclass(frozen=True)
class Compression:
    """Which answers are compressed with gzip, if the client accepts that.

    ========  ==============  ======================================================================
    key       default         meaning
    ========  ==============  ======================================================================
    min_size  1024            the smallest body to compress, in bytes
    level     6               from 1 (fastest) to 9 (smallest)
    types     text, JSON, XML, content types, such as ``text/*``; ``text/event-stream`` only if it
              JavaScript ...  is named
    ========  ==============  ======================================================================

    `compression: true` switches it on with these defaults.
    """

    KEYS: ClassVar[tuple[str, ...]] = ('compression',)

    min_size: int = 1024
    level: int = 6
    types: re.Pattern[str] = _USUAL
    lasting: bool = False

    @classmethod
    def from_config(cls, view: ConfigView) -> Compression | None:
        """Read the key or section. Raises ConfigurationError for invalid values."""
        value = view.get_raw('compression')
        if value is None:
            return None
        if not isinstance(value, dict):
            return cls() if view.get_bool('compression') else None
        section = view.view('compression')
        refuse_unknown(section, ('min_size', 'level', 'types'), plain=True)
        types = _types(section)
        return cls(
            section.get_int('min_size', cls.min_size, minimum=1, maximum=2**40),
            section.get_int('level', cls.level, minimum=1, maximum=9),
            _pattern(types),
            _LASTING in types,
        )

    def features(self) -> Features:
        """Wrap each application that answers."""
        return Features(wrapping=(self.wrap,))

    def takes(self, mimetype: str) -> bool:
        """Tell whether answers of a content type, in lower case, are compressed."""
        if mimetype == _LASTING:
            return self.lasting
        return self.types.fullmatch(mimetype) is not None

    def wrap(self, application: WSGIApplication, environ: WSGIEnvironment) -> WSGIApplication:
        """Return an application with the same answer, compressed if that is wanted."""
        return compressed(self, application)


def _types(section: ConfigView) -> list[str]:
    types = []
    for each in section.get_list('types', list(_TYPES)):
        text = each.lower() if isinstance(each, str) else ''
        if not _TYPE.fullmatch(text):
            raise section.error(
                'types', f"expected content types such as 'text/*', found {quoted(each)}"
            )
        types.append(text)
    return types
