"""A test case for one HTTP interface; needs the extra ``web``. Source: the manual, section 5.8."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from werkzeug.test import Client

from lymph.testing._cases.single_service import SingleServiceTestCase

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

__all__ = ['WebServiceTestCase']


class WebServiceTestCase(SingleServiceTestCase):
    """A test case for the pages of one interface.

    ::

        class HelloTest(WebServiceTestCase):
            service_class = HttpHello

            def test_hello(self):
                assert self.client.get('/hello/you/').text == 'hello you!'
    """

    #: a werkzeug test client for the application of the interface
    client: Client

    def setUp(self) -> None:
        """Start the service. Raises TypeError if `service_class` is not an HTTP interface."""
        super().setUp()
        if not hasattr(self.service, 'application'):
            raise TypeError(
                f'{type(self).__name__}.service_class: expected a subclass of '
                f'lymph.web.WebServiceInterface, found {self.service_class!r}'
            )
        self.client = Client(self._application)

    def _application(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        # Looked up for each request: a test may have wrapped the application.
        answer: Any = self.service.application(environ, start_response)
        return answer  # type: ignore[no-any-return]
