"""HTTP services: `WebServiceInterface`, the server it runs on, and errors as answers."""

from __future__ import annotations

from lymph.web.handlers import RequestHandler, errorhandler
from lymph.web.interfaces import WebServiceInterface

__all__ = ['RequestHandler', 'WebServiceInterface', 'errorhandler']
