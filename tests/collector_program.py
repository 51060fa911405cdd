"""A collector of OpenTelemetry: prints its port, then each span that it gets as a line of JSON.

With ``--stall`` it takes connections and never answers.
"""

from __future__ import annotations

import http.server
import json
import sys
import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector(http.server.BaseHTTPRequestHandler):
    """Answers exports over HTTP, in protobuf."""

    protocol_version = 'HTTP/1.1'

    def do_POST(self) -> None:
        """Print the spans of one export."""
        if '--stall' in sys.argv:
            time.sleep(60)
        data = self.rfile.read(int(self.headers['Content-Length']))
        for resource in ExportTraceServiceRequest.FromString(data).resource_spans:
            named = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    facts = {
                        'path': self.path,
                        'field': self.headers['X-Tenant'],
                        'service': named['service.name'],
                        'name': span.name,
                        'kind': span.kind,
                        'trace': span.trace_id.hex(),
                        'id': span.span_id.hex(),
                        'parent': span.parent_span_id.hex(),
                        'start': span.start_time_unix_nano,
                        'links': [link.span_id.hex() for link in span.links],
                        'failed': span.status.code == 2,
                    }
                    print(json.dumps(facts), flush=True)
        self.send_response(200)
        self.send_header('Content-Length', '0')
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Print nothing else."""


server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Collector)
print(server.server_port, flush=True)
server.serve_forever()
