"""A dashboard: one page that shows what all services do, and that calls their methods.

::

    interfaces:
      dashboard:
        class: lymph.web.dashboard:Dashboard
        port: 8900
        token: $(env.DASHBOARD_TOKEN)

It listens at loopback unless `ip` says otherwise. ``lymph dashboard`` runs it without a
configuration of its own. docs/dashboard.md is the guide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from typing import Any, ClassVar, Final

from werkzeug.exceptions import (
    BadRequest,
    Forbidden,
    NotFound,
    ServiceUnavailable,
    Unauthorized,
)
from werkzeug.routing import Map, Rule
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from lymph.config import ConfigView, LymphError
from lymph.config.printable import printable
from lymph.core.options import refuse_unknown
from lymph.web._answering.features import Features
from lymph.web._answering.routes import answers
from lymph.web._dashboard.admission import Admission
from lymph.web._dashboard.hosts import DashboardHost
from lymph.web._dashboard.letters import Letters
from lymph.web._dashboard.live import LiveStreams
from lymph.web._dashboard.logs import LogFollowing, LogSource
from lymph.web._dashboard.polling import INTERVAL, WINDOW, Polling
from lymph.web._dashboard.records import WantedRecords
from lymph.web._dashboard.requests import data_response, query_of, read_object, whole_number
from lymph.web._dashboard.settings import DashboardSettings
from lymph.web._dashboard.summaries import service_facts
from lymph.web._dashboard.traces import Traces
from lymph.web._gateway.allowed import Allowed
from lymph.web._gateway.answering import CallAnswers
from lymph.web._gateway.calls import Calls
from lymph.web._gateway.catalogue import Catalogue
from lymph.web._gateway.documents import Documents
from lymph.web._gateway.hangups import HangUps
from lymph.web._gateway.idempotency import IdempotencySettings, Outcomes
from lymph.web._gateway.problems import CallProblem
from lymph.web._gateway.responses import note_request, problem_response
from lymph.web._options.collected import KEYS
from lymph.web._options.deadlines import TIMEOUT_HEADER
from lymph.web._options.hosts import Hosts
from lymph.web._options.listening import Listening
from lymph.web._pages.page_files import PageFiles
from lymph.web.interfaces import WebServiceInterface

__all__ = ['Dashboard']

_BODY: Final = 2**20  # bytes, unless `max_body_size` is set
_LOOPBACK: Final = '127.0.0.1'
_LETTERS: Final = 200  # dead letters in a list, at most
_NOT: Final = ('cors',)  # pages of other origins may not use it
_ALL: Final = Allowed.of(['*.*'])


class Dashboard(WebServiceInterface):
    """Shows all services in a page, calls their methods, and settles dead letters.

    The keys are `token`, `read_only`, and those of `WebServiceInterface` other than `cors`; `ip` is
    127.0.0.1 by default, `max_body_size` 1 MiB. Clients without the token get nothing but the empty
    page.
    """

    url_map = Map(
        [
            Rule('/', endpoint='answer_page', methods=['GET']),
            Rule('/page/<version>/<name>', endpoint='answer_page_file', methods=['GET']),
            Rule('/data/session', endpoint='answer_session', methods=['POST']),
            Rule('/data/live', endpoint='answer_live', methods=['GET']),
            Rule('/data/services/<name>', endpoint='answer_service', methods=['GET']),
            Rule('/data/logs', endpoint='answer_logs', methods=['GET']),
            Rule('/data/dead-letters', endpoint='answer_letters', methods=['GET']),
            Rule('/data/dead-letters/one', endpoint='answer_letter', methods=['GET']),
            Rule('/data/dead-letters/replay', endpoint='answer_replay', methods=['POST']),
            Rule('/data/dead-letters/drop', endpoint='answer_drop', methods=['POST']),
            Rule('/data/traces', endpoint='answer_traces', methods=['GET']),
            Rule('/data/traces/<trace_id>', endpoint='answer_trace', methods=['GET']),
            Rule('/api/openapi.json', endpoint='answer_document', methods=['GET']),
            Rule('/api/<interface>/<method>', endpoint='answer_call', methods=['POST']),
        ],
        merge_slashes=False,
    )

    #: the keys that a dashboard has beside those of every HTTP interface
    keys: ClassVar[tuple[str, ...]] = DashboardSettings.KEYS

    container: DashboardHost
    settings: DashboardSettings

    def __init__(
        self, container: DashboardHost, name: str | None = None, version: str | None = None
    ) -> None:
        super().__init__(container, name, version)
        self.limits = replace(self.limits, max_body_size=_BODY)
        self._page = PageFiles('lymph.web._dashboard')
        self._streams = LiveStreams(self._is_draining)
        self._polling = Polling(container, self._spawn)
        self._logs = LogFollowing(container, self._spawn)
        self._letters = Letters(container)
        self._traces = Traces(container)
        self._catalogue = Catalogue(_ALL, container, self._spawn)

    def apply_config(self, config: Mapping[str, Any]) -> None:
        """Read the section. Raises ConfigurationError for unknown keys and invalid values."""
        super().apply_config(config)
        view = config if isinstance(config, ConfigView) else self._view_of(config)
        refuse_unknown(view, (*self.keys, *(key for key in KEYS if key not in _NOT)))
        if view.get_raw('max_body_size') is None:
            self.limits = replace(self.limits, max_body_size=_BODY)
        if view.get_raw('ip') is None:
            self._listening = Listening.from_config(view, _LOOPBACK)
        self.settings = DashboardSettings.from_config(view)
        self._admission = Admission(self.settings.token, Hosts.from_config(view))
        own = Features(arriving=(note_request,), preceding=(self._admission.precede,))
        application = self._own_application
        application.features = Features.merged([own, application.features])
        seconds = view.get_seconds('timeout', None) or self.container.settings.rpc_timeout
        self._calls = Calls(_ALL, self.container, seconds)
        header = view.get_line('timeout_header', TIMEOUT_HEADER)
        self._documents = Documents(self._catalogue, self.name, self.version, header)
        self._answers = CallAnswers(
            self._calls,
            Outcomes(IdempotencySettings()),
            HangUps(self._catalogue, self._spawn),
            header,
        )

    @answers
    def answer_page(self, request: Request) -> Response:
        """Answer with the page; a browser that has the token in its URL gets it as a cookie."""
        if 'token' not in request.args:
            return self._page.index(request)
        response = redirect('./', 303)
        response.headers['Cache-Control'] = 'no-store'
        response.headers['Referrer-Policy'] = 'no-referrer'
        if self._admission.knows(request.args['token']):
            self._admission.let_in(request, response)
        return response

    @answers
    def answer_page_file(self, request: Request, version: str, name: str) -> Response:
        """Answer with a file of the page. Raises NotFound if there is none of this name."""
        return self._page.file(request, version, name)

    @answers
    def answer_session(self, request: Request) -> Response:
        """Give a browser the token as a cookie, if it knows it. Raises Unauthorized."""
        return self._answered(request, lambda: self._let_in(request))

    @answers
    def answer_live(self, request: Request) -> Response:
        """Answer with the stream of what all services do."""
        self._admission.expect_token(request)
        query_of(request, ())
        hello = {
            'version': version('lymph-web'),
            'read_only': self.settings.read_only,
            'interval': INTERVAL,
            'window': WINDOW,
        }
        return self._streams.answer(request, self._polling, hello)

    @answers
    def answer_service(self, request: Request, name: str) -> Response:
        """Answer with what is known of a service. Raises NotFound."""
        self._admission.expect_token(request)
        query_of(request, ())
        snapshot = self._polling.current()
        if snapshot is None:
            raise ServiceUnavailable('Nothing is known yet.', retry_after=1)
        service = snapshot.service(name)
        if service is None:
            raise NotFound('There is no such service now.')
        return data_response({'at': snapshot.at, **service_facts(service)})

    @answers
    def answer_logs(self, request: Request) -> Response:
        """Answer with a stream of log records: `level`, `service` and `trace` choose them."""
        self._admission.expect_token(request)
        wanted = WantedRecords.from_query(query_of(request, ('level', 'service', 'trace')))
        return self._streams.answer(request, LogSource(self._logs, wanted), {})

    @answers
    def answer_letters(self, request: Request) -> Response:
        """Answer with the oldest dead letters, at most `limit`, of one `queue` or of all."""
        self._admission.expect_token(request)
        query = query_of(request, ('queue', 'limit'))
        limit = whole_number(query.get('limit'), 'limit', 50, _LETTERS)
        queue = query.get('queue') or None
        return self._answered(request, lambda: data_response(self._letters.list(queue, limit)))

    @answers
    def answer_letter(self, request: Request) -> Response:
        """Answer with all that is known of the dead letter `id`. Raises NotFound."""
        self._admission.expect_token(request)
        id = query_of(request, ('id',)).get('id')
        if not id:
            raise BadRequest('The query needs an id.')
        return self._answered(request, lambda: data_response(self._letters.show(id)))

    @answers
    def answer_replay(self, request: Request) -> Response:
        """Replay the dead letters with `ids`, or those of a `queue`."""
        return self._settled(request, self._letters.replay)

    @answers
    def answer_drop(self, request: Request) -> Response:
        """Drop the dead letters with `ids`, or those of a `queue`."""
        return self._settled(request, self._letters.drop)

    @answers
    def answer_traces(self, request: Request) -> Response:
        """Answer with the latest traces, at most `limit`; `failed` and `slow` choose them."""
        self._admission.expect_token(request)
        return data_response(self._traces.latest(query_of(request, ('limit', 'failed', 'slow'))))

    @answers
    def answer_trace(self, request: Request, trace_id: str) -> Response:
        """Answer with all that the instances know of a trace."""
        self._admission.expect_token(request)
        query_of(request, ())
        return data_response(self._traces.show(trace_id))

    @answers
    def answer_document(self, request: Request) -> Response:
        """Answer with the OpenAPI document about all methods."""
        self._admission.expect_token(request)
        return self._documents.answer(request)

    @answers
    def answer_call(self, request: Request, interface: str, method: str) -> Response:
        """Answer a call with its result, or with a problem."""
        self._expect_changes(request)
        return self._answers.answer(request, f'{interface}.{method}')

    def on_drain(self, timeout: float) -> int:
        """End all streams, which would not end by themselves, and finish the current requests."""
        self._streams.end()
        return super().on_drain(timeout)

    def on_stop(self) -> None:
        """Stop serving, and stop observing services."""
        super().on_stop()
        self._catalogue.close()
        self._calls.close()
        self._logs.close()

    def _let_in(self, request: Request) -> Response:
        if not self._admission.knows(_text(read_object(request, ('token',)).get('token'))):
            raise Unauthorized('This is not the token of the dashboard.')
        response = Response(status=204)
        self._admission.let_in(request, response)
        return response

    def _expect_changes(self, request: Request) -> None:
        self._admission.expect_token(request)
        if self.settings.read_only:
            raise Forbidden('This dashboard is for reading only.')

    def _settled(self, request: Request, settle: Callable[[Any, Any], dict[str, Any]]) -> Response:
        self._expect_changes(request)

        def answer() -> Response:
            asked = read_object(request, ('ids', 'queue'))
            return data_response(settle(asked.get('ids'), asked.get('queue')))

        return self._answered(request, answer)

    def _answered(self, request: Request, answer: Callable[[], Response]) -> Response:
        """Return the answer; errors of the event system are told, as who asks may know them."""
        try:
            return answer()
        except CallProblem as problem:
            return problem_response(problem, request.environ)
        except LymphError as error:
            text = printable(str(error), 1000)
            raise ServiceUnavailable(f'The event system cannot be asked: {text}') from error

    def _spawn(self, run: Callable[[], Any]) -> Any:
        return self.pool.spawn(run)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ''
