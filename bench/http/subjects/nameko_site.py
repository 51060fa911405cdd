"""`nameko`: a service with an HTTP entrypoint."""

from __future__ import annotations

from typing import Any

from nameko.web.handlers import http

__all__ = ['Site']


class Site:
    """Answers requests."""

    name = 'site'

    @http('GET', '/hello/<string:name>')  # type: ignore[untyped-decorator]  # nameko has no types
    def hello(self, request: Any, name: str) -> str:
        """Answer a request."""
        return f'hello {name}'
