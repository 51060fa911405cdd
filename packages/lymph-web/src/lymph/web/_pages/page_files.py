"""The files of a page, which browsers keep.

======================  ============================================================================
/                       index.html; asked for each time, answered 304 where it has not changed
/page/VERSION/NAME      every other file; kept for a year, because VERSION is made of all contents
======================  ============================================================================

A page has its own files, and those that all pages share, under one path. All its addresses are
relative, so it works behind a proxy that adds a prefix. It needs nothing from other hosts, and the
Content-Security-Policy forbids it, as it forbids scripts inside the HTML.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files

from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Request, Response

__all__ = ['PageFiles']

_TYPES = {
    'html': 'text/html; charset=utf-8',
    'css': 'text/css; charset=utf-8',
    'js': 'text/javascript; charset=utf-8',
    'svg': 'image/svg+xml',
}

# `require-trusted-types-for`: a script that writes HTML instead of text fails, whatever it writes.
_POLICY = '; '.join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS = {
    'Content-Security-Policy': _POLICY,
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
}
_INDEX = 'index.html'


class PageFiles:
    """Answers requests for the files of a page; reads them once.

    Its own files are in the folder `page` of a package.
    """

    def __init__(self, package: str) -> None:
        folders = (files(__package__).joinpath('shared'), files(package).joinpath('page'))
        contents = {each.name: each.read_bytes() for folder in folders for each in folder.iterdir()}
        digest = hashlib.sha256()
        for name, content in sorted(contents.items()):
            digest.update(b'%s %d\n%s' % (name.encode(), len(content), content))
        #: changes with each change of a file
        self.version = digest.hexdigest()[:16]
        self._index = contents.pop(_INDEX).replace(b'VERSION', self.version.encode())
        self._files = contents

    def index(self, request: Request) -> Response:
        """Return the page itself."""
        return self._answer(request, _INDEX, self._index, 'no-cache')

    def file(self, request: Request, version: str, name: str) -> Response:
        """Return one of the other files; raises NotFound if there is none of this name.

        While processes are replaced one by one, one may be asked for a file of another version. It
        answers with its own, which nobody keeps.
        """
        content = self._files.get(name)
        if content is None:
            raise NotFound
        kept = 'public, max-age=31536000, immutable'
        return self._answer(request, name, content, kept if version == self.version else 'no-store')

    def _answer(self, request: Request, name: str, content: bytes, caching: str) -> Response:
        response = Response(content, content_type=_TYPES[name.rpartition('.')[2]], headers=_HEADERS)
        response.headers['Cache-Control'] = caching
        response.set_etag(self.version)
        return response.make_conditional(request)
