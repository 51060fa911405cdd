"""Serves the document of a gateway: made once for each state of the catalogue, with an ETag."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from werkzeug.wrappers import Request, Response

from lymph.core.backends import in_thread
from lymph.web._gateway.catalogue import Catalogue
from lymph.web._gateway.descriptions import AllowedMethod
from lymph.web._gateway.json_text import json_bytes
from lymph.web._gateway.openapi import openapi_document

__all__ = ['Documents']

_KEPT: Final = 8  # documents; they differ if clients come through different proxies


class Documents:
    """The document about the methods of a catalogue, called `title`.

    `timeout_header` is the field in which clients say how long they wait.
    """

    def __init__(
        self, catalogue: Catalogue, title: str, version: str | None, timeout_header: str
    ) -> None:
        self._catalogue = catalogue
        self._title = title
        self._version = version or '0.0.0'
        self._timeout_header = timeout_header
        #: what the gateway offers beside methods, see `openapi_document`
        self.faces: dict[str, Any] = {}
        self._methods: tuple[AllowedMethod, ...] | None = None
        self._made: dict[str, tuple[bytes, str]] = {}

    def document(self, server: str = '/') -> dict[str, Any]:
        """Return the document now; paths begin below the URL `server`."""
        return self._document(server, self._catalogue.methods())

    def answer(self, request: Request) -> Response:
        """Answer a GET or HEAD request for the document; 304 if the client has it already."""
        methods = self._catalogue.methods()
        if methods is not self._methods:
            self._methods, self._made = methods, {}
        server = request.root_path or '/'
        made = self._made.get(server)
        if made is None:
            body = json_bytes(self._document(server, methods))
            made = body, hashlib.sha256(body).hexdigest()[:32]
            if methods is self._methods:  # still, after the turns of others
                if len(self._made) >= _KEPT:
                    self._made.clear()
                self._made[server] = made
        body, etag = made
        response = Response(body, mimetype='application/json')
        response.set_etag(etag)
        response.headers['Cache-Control'] = 'no-cache'
        response.headers['X-Content-Type-Options'] = 'nosniff'
        return response.make_conditional(request)

    def _document(self, server: str, methods: tuple[AllowedMethod, ...]) -> dict[str, Any]:
        docs = {each.interface: self._catalogue.doc_of(each.interface) for each in methods}
        # in a native thread, as schemas may be many; it uses nothing of the loop
        made: dict[str, Any] = in_thread(
            openapi_document,
            self._title,
            self._version,
            server,
            methods,
            docs,
            dict(self.faces),
            self._timeout_header,
        )
        return made
