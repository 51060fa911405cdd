"""`FastAPI`: an ASGI application, for uvicorn and granian."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

__all__ = ['application']

application = FastAPI()


@application.get('/hello/{name}', response_class=PlainTextResponse)  # type: ignore[untyped-decorator]  # not installed for mypy
async def hello(name: str) -> str:
    """Answer a request."""
    return f'hello {name}'
