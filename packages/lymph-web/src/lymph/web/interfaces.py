"""The base class of interfaces that answer HTTP. Source: the manual, sections 4.6 and 5.4.

::

    class HttpHello(WebServiceInterface):
        url_map = Map([Rule('/hello/<string:name>/', endpoint='hello')])

        def hello(self, request, name):
            return Response(f'hello {name}!')
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from werkzeug.routing import Map
from werkzeug.wrappers import Request

from lymph.config import Configuration, ConfigurationError, ConfigView
from lymph.config.lazy import lazy
from lymph.core import trace
from lymph.core._loop.hooks import Hook
from lymph.core._work.chains import Chains
from lymph.core.addresses import is_loopback, join_address
from lymph.core.backends import RecentWork
from lymph.core.interfaces import Interface, InterfaceHost
from lymph.core.options import refuse_near_misses
from lymph.core.resources import unit
from lymph.core.settings import ContainerSettings
from lymph.discovery.base import HTTP, RPC, BaseServiceRegistry
from lymph.web._answering.access import flush_access_log
from lymph.web._answering.application import Application
from lymph.web._answering.error_handlers import ErrorHandlers
from lymph.web._answering.faults import ErrorAnswers
from lymph.web._answering.features import Features
from lymph.web._answering.figures import HttpFigures
from lymph.web._answering.health import Health
from lymph.web._answering.recent_requests import RecentRequests
from lymph.web._answering.routes import check_endpoints, check_routes
from lymph.web._answering.routing import own_map
from lymph.web._http.limits import Limits
from lymph.web._options.collected import KEYS, features_from
from lymph.web._options.deadlines import bounded_wait
from lymph.web._options.listening import Listening
from lymph.web._options.server_names import read_server_name
from lymph.web._options.timings import ServerTimings
from lymph.web._options.tls import Tls
from lymph.web._serving.server import WebServer
from lymph.web._tracing.identifying import Tracing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ['WebHost', 'WebServiceInterface']

logger = logging.getLogger(__name__)

_new_debugger: Callable[[], Any] = lazy('lymph.web._answering.debugger:Debugger')


class WebHost(InterfaceHost, Protocol):
    """What an HTTP interface needs of its container beyond other interfaces."""

    debugging: bool
    draining: bool
    endpoint: str | None
    worker: bool
    settings: ContainerSettings
    registry: BaseServiceRegistry
    http_request_hook: Hook
    recent: RecentWork
    chains: Chains

    def announced_host(self, ip: str) -> str:
        """Return the host to announce for a port that listens on `ip`."""


class WebServiceInterface(Interface):
    """An interface that answers HTTP requests beside calls and events.

    `url_map` maps URLs to methods: a rule's endpoint is the name of one, which is called with the
    request and the values from the URL and returns a werkzeug Response. It may also be a function,
    or a class as in `lymph.web.handlers`. Each interface has a copy of the map of its class, to
    which it may add rules until it starts. Subclasses that extend `__init__`, `apply_config`,
    `on_start` or `on_stop` call those here.

    ======================  ========================  ==============================================
    key                     default                   meaning
    ======================  ========================  ==============================================
    ip                      container.ip              the address to listen on; what is announced
                                                      follows the rules of container.advertise
    port                    random                    the port to listen on
    server_name             none                      the host name that subdomains in `url_map` are
                                                      part of
    healthcheck.enabled     true                      whether the health endpoint is answered
    healthcheck.endpoint    /_health/                 its path; it comes before `url_map`
    debug                   false                     show tracebacks and durations to clients
    ======================  ========================  ==============================================

    And the limits of the server (`lymph.web._http.limits.Limits`), and the options of
    `lymph.web._options`: TLS, deadlines, trusted proxies, hosts, CORS, compression, cookies.
    """

    namespaces: ClassVar[tuple[str, ...]] = (RPC, HTTP)

    url_map: Map = Map()
    request_class: type[Request] = Request
    #: whether every client, not only a trusted proxy, may shorten the deadline of its requests
    clients_shorten_deadlines: ClassVar[bool] = False

    _error_handlers: ClassVar[ErrorHandlers] = ErrorHandlers()

    container: WebHost
    #: the WSGI application that is served; may be replaced by one wrapped around it
    application: WSGIApplication
    debug: bool
    limits: Limits
    health: Health
    _own_application: Application
    _faults: ErrorAnswers
    _figures: HttpFigures
    _listening: Listening
    _tls: Tls | None
    _server: WebServer | None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_endpoints(cls, cls.url_map)
        cls._error_handlers = ErrorHandlers.of(cls)

    def __init__(
        self, container: WebHost, name: str | None = None, version: str | None = None
    ) -> None:
        super().__init__(container, name, version)
        if isinstance(getattr(type(self), 'url_map', None), Map) and 'url_map' not in vars(self):
            self.url_map = own_map(type(self), self.url_map)
        self._own_application = self.application = Application(
            self,
            container.chains.of('http', self),
            self._error_handlers,
            container.http_request_hook,
            RecentRequests(self.name, container.recent),
        )
        self._faults = self._own_application.faults
        self._figures = HttpFigures(self.name, self._own_application.counts, lambda: self._server)
        self.debug = False
        self.limits = Limits()
        self.health = Health(self._is_healthy, self._is_draining)
        self._listening = Listening.default(container.settings.ip, self.name)
        self._tls = None
        self._server = None

    def apply_config(self, config: Mapping[str, Any]) -> None:
        """Read the keys listed above. Raises ConfigurationError for an invalid value."""
        super().apply_config(config)
        view = config if isinstance(config, ConfigView) else self._view_of(config)
        refuse_near_misses(view, KEYS)
        self._listening = Listening.from_config(view, self.container.settings.ip)
        self._tls = Tls.from_config(view)
        self.debug = view.get_bool('debug', False)
        self.limits = bounded_wait(Limits.from_config(view), view)
        self.health = Health.from_config(
            view.view('healthcheck'),
            self._is_healthy,
            self._is_draining,
            self._faults.log_check_failure,
        )
        self._faults.tracing = Tracing.from_config(view.root.view('tracing'))
        self._own_application.features = features_from(view, self.clients_shorten_deadlines)
        self._own_application.router.server_name = read_server_name(view)

    def is_healthy(self) -> bool:
        """Return whether to send requests here; subclasses override it (default: true).

        It is a unit of work of its own, so that it may use resources.
        """
        return True

    def url_for(
        self, request: Request, endpoint: Any, /, *, _external: bool = False, **values: Any
    ) -> str:
        """Return the URL of an endpoint, as seen by the client that sent `request`.

        `values` are those of the rule; others become the query string. With `_external` the URL has
        scheme and host. Raises werkzeug's BuildError if no rule of `url_map` fits.
        """
        router = self._own_application.router
        return router.build(request, endpoint, values, external=_external)

    @property
    def max_body_size(self) -> int:
        """The longest body of a request, in bytes."""
        return self.limits.max_body_size

    @property
    def http_port(self) -> int | None:
        """The port that the interface listens on; None unless it runs, and at a unix socket."""
        return None if self._server is None else self._server.server_port or None

    def instance_facts(self) -> dict[str, Any]:
        """Return host and port, which are announced in the registry.

        Raises ConfigurationError if there is no host at which others reach it.
        """
        facts = {**super().instance_facts(), 'http_port': self.http_port}
        if self.http_port is not None:
            facts['ip'] = self._announced_host(self.http_port)
            facts['http_scheme'] = None if self._tls is None else 'https'
        return facts

    def on_start(self) -> None:
        """Check `url_map` and start to serve; a worker serves nothing.

        If the process was started with a listening socket for the port, the server uses it.

        Raises ConfigurationError if an endpoint is not a method, or the port or the certificate
        cannot be used.
        """
        super().on_start()
        check_routes(self, self.url_map, self._own_application.router.server_name)
        if self.container.worker:
            return
        certificates = None if self._tls is None else self._tls.open()
        try:
            self._server = WebServer(
                self._listening.open(),
                self._serve,
                self.limits,
                self._is_draining,
                self._faults,
                self.health.answers,
                certificates,
            )
        except BaseException:
            if certificates is not None:
                certificates.stop()
            raise
        self._server.start()
        self.metrics.add(self._figures)
        if self.container.debugging:
            self._debug()

    def on_drain(self, timeout: float) -> int:
        """Finish the current requests within `timeout` seconds.

        Those that are cut go to `count_cut`, so they are not in the number that this returns.
        """
        server = self._server
        cut = 0 if server is None else server.finish(timeout, self.count_cut)
        self._server = None  # only now: a stop at once cuts a drain that is under way
        if cut:
            logger.warning('%s stopped; requests cut short: %d', self.name, cut)
        return super().on_drain(timeout)

    def on_stop(self) -> None:
        """Stop serving at once, unless a drain has done so."""
        cut = self.on_drain(0)
        self.count_cut(cut if isinstance(cut, int) else 0)  # a subclass may return anything
        super().on_stop()
        self.metrics.remove(self._figures)
        self._faults.close()
        flush_access_log()

    def report_error(self, error: BaseException) -> None:
        """Pass an error that a method raised to the error hook."""
        self.error_hook(error, component=self, trace_id=trace.get_id())

    def _view_of(self, config: Mapping[str, Any]) -> ConfigView:
        # under the keys that it would have in a file, for errors to name
        return Configuration({'interfaces': {self.name: dict(config)}}).view(
            ['interfaces', self.name]
        )

    def _announced_host(self, port: int) -> str:
        listening, default = self._listening, self.container.settings.ip
        try:
            host = self.container.announced_host(listening.ip)
        except ConfigurationError as error:
            raise ConfigurationError(error.text, listening.ip_at) from None
        # the container warns of its own address
        if listening.ip != default and self.container.registry.beyond_host:
            listening.warn_if_unreachable(self.name, host, self._url(host, port))
        return host

    def _url(self, host: str, port: int) -> str:
        return f'{"http" if self._tls is None else "https"}://{join_address(host, port)}'

    def _debug(self) -> None:
        ip, port = self._listening.ip, self.http_port or 0
        if self._listening.path or not is_loopback(ip):
            logger.warning(
                '%s: no debugger, because other machines could reach it at %s; '
                'set %s to 127.0.0.1 to use it',
                self.name,
                self._listening.path or ip,
                self._listening.ip_at.key,
            )
            return
        debugger = _new_debugger()
        self._own_application.debug(debugger)
        if not self.debug:  # else the features have it
            own = self._own_application
            own.features = Features.merged([own.features, ServerTimings().features()])
        logger.info(
            '%s: browsers get errors of %s in a debugger; its PIN is %s',
            self.name,
            self._url(ip, port),
            debugger.pin or 'turned off by WERKZEUG_DEBUG_PIN',
        )

    def _serve(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # looked up for each request: it may have been replaced since the start
        application = self.application
        if application is self._own_application:
            return self._own_application.answer(environ, start_response)
        return application(environ, start_response)

    def _is_healthy(self) -> bool:
        with unit():
            return self.is_healthy()

    def _is_draining(self) -> bool:
        return self.container.draining
