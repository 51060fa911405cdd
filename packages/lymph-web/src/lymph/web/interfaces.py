"""The base class of interfaces that answer HTTP. Source: the manual, sections 4.6 and 5.4.

::

    class HttpHello(WebServiceInterface):
        url_map = Map([Rule('/hello/<string:name>/', endpoint='hello')])

        def hello(self, request, name):
            return Response(f'hello {name}!')
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Mapping
from dataclasses import fields
from socket import gaierror
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from werkzeug.routing import Map
from werkzeug.wrappers import Request

from lymph.config import Configuration, ConfigurationError, ConfigView, Location
from lymph.core import trace
from lymph.core._system.inherited import SocketMismatch, adopt, misdirected
from lymph.core._work.chains import Chains
from lymph.core.addresses import check_host, is_loopback, join_address
from lymph.core.interfaces import Interface, InterfaceHost
from lymph.core.options import refuse_near_misses
from lymph.core.resources import unit
from lymph.core.settings import ContainerSettings
from lymph.discovery.base import HTTP, RPC, BaseServiceRegistry
from lymph.web._answering.application import Application
from lymph.web._answering.faults import ErrorAnswers
from lymph.web._answering.health import Health
from lymph.web._answering.routes import check_endpoints, check_routes
from lymph.web._http.limits import Limits
from lymph.web._http.server import WebServer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ['WebHost', 'WebServiceInterface']

logger = logging.getLogger(__name__)

#: The keys that this module reads; other keys belong to the author of the interface.
_KEYS = ('debug', 'healthcheck', 'ip', 'port', *(field.name for field in fields(Limits)))


class WebHost(InterfaceHost, Protocol):
    """What an HTTP interface needs of its container beyond other interfaces."""

    draining: bool
    worker: bool
    settings: ContainerSettings
    registry: BaseServiceRegistry
    chains: Chains

    def announced_host(self, ip: str) -> str:
        """Return the host to announce for a port that listens on `ip`."""


class WebServiceInterface(Interface):
    """An interface that answers HTTP requests beside calls and events.

    `url_map` maps URLs to methods: a rule's endpoint is the name of one, which is called with the
    request and the values from the URL and returns a werkzeug Response. Subclasses that extend
    `__init__`, `apply_config`, `on_start` or `on_stop` call those here.

    ======================  ========================  ==============================================
    key                     default                   meaning
    ======================  ========================  ==============================================
    ip                      container.ip              the address to listen on; what is announced
                                                      follows the rules of container.advertise
    port                    random                    the port to listen on
    healthcheck.enabled     true                      whether the health endpoint is answered
    healthcheck.endpoint    /_health/                 its path; it comes before `url_map`
    debug                   false                     show tracebacks to clients
    ======================  ========================  ==============================================

    And the limits of the server: see `lymph.web._http.limits.Limits`.
    """

    namespaces: ClassVar[tuple[str, ...]] = (RPC, HTTP)

    url_map: Map = Map()
    request_class: type[Request] = Request

    container: WebHost
    #: the WSGI application that is served; may be replaced by one wrapped around it
    application: WSGIApplication
    debug: bool
    limits: Limits
    health: Health
    _faults: ErrorAnswers
    _address: tuple[str, int]
    _ip_at: Location
    _port_at: Location
    _server: WebServer | None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_endpoints(cls, cls.url_map)

    def __init__(
        self, container: WebHost, name: str | None = None, version: str | None = None
    ) -> None:
        super().__init__(container, name, version)
        self.application = own = Application(self, container.chains.of('http', self))
        self._faults = own.faults
        self.debug = False
        self.limits = Limits()
        self.health = Health(self._is_healthy, self._is_draining)
        self._address = container.settings.ip, 0
        self._ip_at = Location(f'interfaces.{self.name}.ip')
        self._port_at = Location(f'interfaces.{self.name}.port')
        self._server = None

    def apply_config(self, config: Mapping[str, Any]) -> None:
        """Read the keys listed above. Raises ConfigurationError for an invalid value."""
        super().apply_config(config)
        view = config if isinstance(config, ConfigView) else self._view_of(config)
        refuse_near_misses(view, _KEYS)
        port = view.get_int('port', 0, minimum=0, maximum=65535)
        self._address = self._read_ip(view), port
        self._ip_at, self._port_at = view.locate('ip'), view.locate('port')
        self.debug = view.get_bool('debug', False)
        self.limits = Limits.from_config(view)
        self.health = Health.from_config(
            view.view('healthcheck'),
            self._is_healthy,
            self._is_draining,
            self._faults.log_check_failure,
        )

    def is_healthy(self) -> bool:
        """Return whether to send requests here; subclasses override it (default: true).

        It is a unit of work of its own, so that it may use resources.
        """
        return True

    @property
    def max_body_size(self) -> int:
        """The longest body of a request, in bytes."""
        return self.limits.max_body_size

    @property
    def http_port(self) -> int | None:
        """The port that the interface listens on; None unless it runs."""
        return None if self._server is None else self._server.server_port

    def instance_facts(self) -> dict[str, Any]:
        """Return host and port, for those who look the service up.

        Raises ConfigurationError if there is no host at which others reach it.
        """
        facts = {**super().instance_facts(), 'http_port': self.http_port}
        if self.http_port is not None:
            facts['ip'] = self._announced_host(self.http_port)
        return facts

    def on_start(self) -> None:
        """Check `url_map` and start to serve; a worker serves nothing.

        If the process was started with a listening socket for the port, the server uses it.

        Raises ConfigurationError if an endpoint is not a method, or the port cannot be used.
        """
        super().on_start()
        check_routes(self, self.url_map)
        if self.container.worker:
            return
        try:
            listener = adopt(*self._address) or self._address
            server = WebServer(listener, self._serve, self.limits, self._is_draining, self._faults)
            server.start()
        except OSError as error:
            raise self._unusable(error) from error
        self._server = server

    def on_drain(self, timeout: float) -> int:
        """Finish the current requests within `timeout` seconds; return how many were cut."""
        server, self._server = self._server, None
        cut = 0 if server is None else server.finish(timeout)
        if cut:
            logger.warning('%s stopped before %d requests were answered', self.name, cut)
        return cut + super().on_drain(timeout)

    def on_stop(self) -> None:
        """Stop serving at once, unless a drain has done so."""
        self.on_drain(0)
        super().on_stop()
        self._faults.close()

    def report_error(self, error: BaseException) -> None:
        """Pass an error that a method raised to the error hook."""
        self.error_hook(error, component=self, trace_id=trace.get_id())

    def _view_of(self, config: Mapping[str, Any]) -> ConfigView:
        # under the keys that it would have in a file, for errors to name
        return Configuration({'interfaces': {self.name: dict(config)}}).view(
            ['interfaces', self.name]
        )

    def _read_ip(self, view: ConfigView) -> str:
        ip = view.get_raw('ip')
        if ip is None:
            return self.container.settings.ip
        try:
            return check_host(ip)
        except ValueError as error:
            raise view.error('ip', str(error)) from None

    def _announced_host(self, port: int) -> str:
        ip = self._address[0]
        try:
            host = self.container.announced_host(ip)
        except ConfigurationError as error:
            raise ConfigurationError(error.text, self._ip_at) from None
        chosen = ip != self.container.settings.ip  # else the container warns
        if chosen and is_loopback(host) and self.container.registry.beyond_host:
            logger.warning(
                '%s: announced as http://%s, where no other machine reaches it; set %s to an '
                'address of this machine that others reach (0.0.0.0: all)',
                self.name,
                join_address(host, port),
                self._ip_at.key,
            )
        return host

    def _serve(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # looked up for each request: it may have been replaced since the start
        return self.application(environ, start_response)

    def _is_healthy(self) -> bool:
        with unit():
            return self.is_healthy()

    def _is_draining(self) -> bool:
        return self.container.draining

    def _unusable(self, error: OSError) -> ConfigurationError:
        ip, port = self._address
        if isinstance(error, SocketMismatch):
            return ConfigurationError(
                f'cannot listen at port {port} of {ip} ({error.strerror}); '
                f'set {self._ip_at.key} to the host of that socket, or bind the socket to {ip}',
                self._ip_at,
            )
        # gaierror has numbers of its own, and gevent adds the address to the text of other errors.
        resolved = not isinstance(error, gaierror)
        reason = os.strerror(error.errno) if resolved and error.errno else error.strerror or error
        if not resolved or error.errno == errno.EADDRNOTAVAIL:
            return ConfigurationError(
                f'cannot listen at {ip} ({reason}); expected an address of this machine',
                self._ip_at,
            )
        in_use = error.errno == errno.EADDRINUSE
        advice = 'end what uses it, choose another port, or leave it out for a random one'
        return ConfigurationError(
            f'cannot listen at port {port} of {ip} ({reason}); '
            f'{(in_use and misdirected()) or advice}',
            self._port_at,
        )
