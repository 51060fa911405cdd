"""A gateway: HTTP clients call methods of services, without code for each of them.

::

    interfaces:
      api:
        class: lymph.web.gateway:Gateway
        port: 8080
        allow: ['shop.order', 'echo.*']

``POST /api/<interface>/<method>`` with a JSON object calls a method. docs/gateway.md is the guide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

import gevent
from werkzeug.exceptions import NotFound
from werkzeug.routing import Map, Rule
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from lymph.config import ConfigView
from lymph.core.options import refuse_unknown
from lymph.web._answering.features import Features
from lymph.web._answering.routes import answers
from lymph.web._gateway.allowed import Allowed
from lymph.web._gateway.answering import CallAnswers
from lymph.web._gateway.calls import Calls
from lymph.web._gateway.catalogue import Catalogue
from lymph.web._gateway.descriptions import AllowedMethod
from lymph.web._gateway.documents import Documents
from lymph.web._gateway.hangups import HangUps
from lymph.web._gateway.idempotency import Outcomes
from lymph.web._gateway.json_values import as_json
from lymph.web._gateway.mcp.methods import McpMethods
from lymph.web._gateway.mcp.settings import McpSettings
from lymph.web._gateway.mcp.tools import Tools
from lymph.web._gateway.mcp.transport import McpEndpoint
from lymph.web._gateway.problems import CallProblem
from lymph.web._gateway.responses import note_request
from lymph.web._gateway.settings import CallSettings
from lymph.web._gateway.streaming.streams import EventStreams, StreamSettings
from lymph.web._options.collected import KEYS
from lymph.web._pages.page_files import PageFiles
from lymph.web.interfaces import WebHost, WebServiceInterface

__all__ = ['Allowed', 'AllowedMethod', 'CallProblem', 'Catalogue', 'Gateway']

#: bytes of a body, unless `max_body_size` is set: Python reads JSON in one go, and longer bodies
#: would hold up everything else in the process for more than a few hundredths of a second
_BODY: Final = 2**20
_FILES: Final = 'lymph.web._gateway'  # where the page is


class Gateway(WebServiceInterface):
    """Offers methods of services to HTTP clients; the section's `allow` says which.

    `page` is whether ``/api/`` is a page that shows and calls them (default: true). The other keys
    are those of `WebServiceInterface`; `max_body_size` is 1 MiB by default. Nothing that is not
    allowed can be reached.
    """

    url_map = Map(
        [
            Rule('/api/openapi.json', endpoint='answer_document', methods=['GET']),
            Rule('/api/<interface>/<method>', endpoint='answer_call', methods=['POST']),
            Rule('/api/', endpoint='answer_page', methods=['GET'], strict_slashes=False),
            Rule('/api/page/<version>/<name>', endpoint='answer_page_file', methods=['GET']),
            Rule('/api/events', endpoint='answer_events', methods=['GET']),
            Rule('/api/mcp', endpoint='answer_mcp'),
        ],
        merge_slashes=False,
    )

    #: the keys that a gateway has beside those of every HTTP interface; all others are rejected
    keys: ClassVar[tuple[str, ...]] = (
        *CallSettings.KEYS,
        'mcp',
        'page',
        *StreamSettings.KEYS,
    )

    allowed: Allowed
    #: the allowed methods that exist now
    catalogue: Catalogue
    _streams: EventStreams | None
    _mcp: McpEndpoint | None

    def __init__(
        self, container: WebHost, name: str | None = None, version: str | None = None
    ) -> None:
        super().__init__(container, name, version)
        self.limits = replace(self.limits, max_body_size=_BODY)
        self._configure(CallSettings())
        self._page: PageFiles | None = PageFiles(_FILES)
        self._streams = None
        self._mcp = None

    def apply_config(self, config: Mapping[str, Any]) -> None:
        """Read the section. Raises ConfigurationError for unknown keys and invalid values."""
        super().apply_config(config)
        view = config if isinstance(config, ConfigView) else self._view_of(config)
        refuse_unknown(view, (*self.keys, *KEYS))
        if view.get_raw('max_body_size') is None:
            self.limits = replace(self.limits, max_body_size=_BODY)
        features, noting = self._own_application.features, Features(arriving=(note_request,))
        self._own_application.features = Features.merged([noting, features])
        calls = CallSettings.from_config(view)
        self._configure(calls)
        self._page = PageFiles(_FILES) if view.get_bool('page', True) else None
        settings = StreamSettings.from_config(view)
        if settings is not None:
            patterns = settings.allowed.patterns
            self._documents.faces['events'] = [each.text for each in patterns]
            self._streams = EventStreams(
                settings, self.container, self.name, _body_as_json, self._is_draining
            )
        mcp = McpSettings.from_config(view, self.allowed)
        if mcp is not None:
            self._documents.faces['mcp'] = True
            methods = McpMethods(Tools(self.catalogue.methods, mcp.chosen))
            self._mcp = McpEndpoint(methods, self._answers.call, mcp.origins, calls.timeout_header)

    def call(
        self,
        name: str,
        arguments: Mapping[str, Any],
        *,
        timeout: float | None = None,
        version: str | None = None,
    ) -> Any:
        """Call the allowed method ``interface.method``; return its result as JSON types.

        `arguments` are JSON types, as `lymph.web._gateway.json_values.parse_json` reads them.
        `timeout` (seconds) can only shorten what the gateway allows. Raises CallProblem.
        """
        return self._calls.call(name, arguments, timeout, version)

    @answers
    def answer_call(self, request: Request, interface: str, method: str) -> Response:
        """Answer a call with its result, or with a problem."""
        return self._answers.answer(request, f'{interface}.{method}')

    def document(self, server: str = '/') -> dict[str, Any]:
        """Return the OpenAPI document now; its paths begin below the URL `server`."""
        return self._documents.document(server)

    @answers
    def answer_document(self, request: Request) -> Response:
        """Answer with the OpenAPI document."""
        return self._documents.answer(request)

    @answers
    def answer_page(self, request: Request) -> Response:
        """Answer with the page that shows the methods; raises NotFound if it is switched off."""
        if self._page is None:
            raise NotFound
        if not request.path.endswith('/'):
            # a relative address is right behind every proxy; werkzeug's own redirect has the host
            return redirect('api/', 308)
        return self._page.index(request)

    @answers
    def answer_page_file(self, request: Request, version: str, name: str) -> Response:
        """Answer with a script, a style sheet or a picture of the page.

        Raises NotFound if there is none of this name, or the page is switched off.
        """
        if self._page is None:
            raise NotFound
        return self._page.file(request, version, name)

    @answers
    def answer_events(self, request: Request) -> Response:
        """Answer with a stream of events; raises NotFound without the key `events`."""
        if self._streams is None:
            raise NotFound
        return self._streams.answer(request)

    @answers
    def answer_mcp(self, request: Request) -> Response:
        """Answer a message of the Model Context Protocol; raises NotFound if that is off."""
        if self._mcp is None:
            raise NotFound
        return self._mcp.answer(request)

    def on_start(self) -> None:
        """Start to serve, as every HTTP interface does; the streams have metrics."""
        super().on_start()
        if self._streams is not None:
            self.metrics.add(self._streams.metrics)

    def on_drain(self, timeout: float) -> int:
        """End all streams, which would not end by themselves, and finish the current requests."""
        if self._streams is not None:
            self._streams.end()
        return super().on_drain(timeout)

    def on_stop(self) -> None:
        """Stop serving, and stop observing services."""
        super().on_stop()
        if self._streams is not None:
            self.metrics.remove(self._streams.metrics)
        self.catalogue.close()
        self._calls.close()

    def _configure(self, settings: CallSettings) -> None:
        self.allowed = settings.allowed
        self.catalogue = Catalogue(self.allowed, self.container, self._spawn)
        self._documents = Documents(
            self.catalogue, self.name, self.version, settings.timeout_header
        )
        seconds = settings.timeout or self.container.settings.rpc_timeout
        self._calls = Calls(self.allowed, self.container, seconds)
        outcomes = Outcomes(settings.idempotency)
        hang_ups = HangUps(self.catalogue, self._spawn)
        self._answers = CallAnswers(self._calls, outcomes, hang_ups, settings.timeout_header)

    def _spawn(self, run: Callable[[], Any]) -> gevent.Greenlet[..., Any]:
        greenlet: gevent.Greenlet[..., Any] = self.pool.spawn(run)
        return greenlet


def _body_as_json(body: Any) -> Any:
    return as_json(body, 'body')
