"""Names of span attributes.

Source: OpenTelemetry's semantic conventions 1.44 (opentelemetry-semantic-conventions 0.66b2). What
is about RPC and HTTP is stable or about to be. What is about messaging is in development, and only
set if ``OTEL_SEMCONV_STABILITY_OPT_IN`` has ``messaging`` or ``messaging/dup``. The names are
written down here, since the Python package offers them in a module that is private by its name.
Names that begin with ``lymph.`` are lymph's own.
"""

from __future__ import annotations

from typing import Final

ERROR_TYPE: Final = 'error.type'
EXCEPTION: Final = 'exception'  # the name of an event
EXCEPTION_TYPE: Final = 'exception.type'
EXCEPTION_MESSAGE: Final = 'exception.message'
EXCEPTION_STACKTRACE: Final = 'exception.stacktrace'
SERVER_ADDRESS: Final = 'server.address'
SERVER_PORT: Final = 'server.port'
CLIENT_ADDRESS: Final = 'client.address'
PEER_ADDRESS: Final = 'network.peer.address'
PEER_PORT: Final = 'network.peer.port'

RPC_SYSTEM: Final = 'rpc.system.name'
RPC_METHOD: Final = 'rpc.method'
RPC_STATUS: Final = 'rpc.response.status_code'

HTTP_METHOD: Final = 'http.request.method'
HTTP_METHOD_ORIGINAL: Final = 'http.request.method_original'
HTTP_ROUTE: Final = 'http.route'
HTTP_STATUS: Final = 'http.response.status_code'
PROTOCOL_VERSION: Final = 'network.protocol.version'
URL_PATH: Final = 'url.path'
URL_SCHEME: Final = 'url.scheme'
USER_AGENT: Final = 'user_agent.original'

MESSAGING_SYSTEM: Final = 'messaging.system'
MESSAGING_OPERATION: Final = 'messaging.operation.name'
MESSAGING_TYPE: Final = 'messaging.operation.type'
MESSAGING_DESTINATION: Final = 'messaging.destination.name'
MESSAGING_ID: Final = 'messaging.message.id'

#: the trace id of lymph, where it is not that of the span
LYMPH_TRACE_ID: Final = 'lymph.trace_id'
LYMPH_HANDLER: Final = 'lymph.handler'
LYMPH_ATTEMPT: Final = 'lymph.attempt'
LYMPH_EVENT_TYPE: Final = 'lymph.event.type'
LYMPH_EVENT_ID: Final = 'lymph.event.id'
