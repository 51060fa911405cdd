"""A web page in front of echo: /upper/foo/ answers FOO."""

from __future__ import annotations

from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

import lymph
from lymph.web.interfaces import WebServiceInterface


class Web(WebServiceInterface):
    echo = lymph.proxy('echo')

    url_map = Map([Rule('/upper/<string:text>/', endpoint='upper')])

    def upper(self, request, text):
        return Response(f'{self.echo.upper(text=text)}\n')
