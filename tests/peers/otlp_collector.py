"""A collector of OpenTelemetry: OTLP/HTTP in JSON on 127.0.0.1, read into OpenTelemetry's own protobuf messages.

It prints its port, then takes requests until its standard input is closed, and then prints what it has read as JSON. OTLP's JSON has ids in
hexadecimal where protobuf's has base64, so these fields are converted first, as collectors do.
"""

import base64
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

IDS = {"traceId": 16, "spanId": 8, "parentSpanId": 8}
READ = []
REQUESTS = []


def converted(value):
    """The same with each id in base64; an id of another length is refused."""
    if isinstance(value, list):
        return [converted(item) for item in value]
    if not isinstance(value, dict):
        return value
    result = {}
    for key, item in value.items():
        if key in IDS:
            data = bytes.fromhex(item)
            if len(data) != IDS[key] or not any(data):
                raise ValueError(f"{key} is no id: {item}")
            item = base64.b64encode(data).decode()
        result[key] = converted(item)
    return result


def value_of(value):
    kind = value.WhichOneof("value")
    return getattr(value, kind)


def attributes(pairs):
    return {pair.key: value_of(pair.value) for pair in pairs}


def span_of(span, resource, scope):
    return {
        "trace": span.trace_id.hex(),
        "id": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "name": span.name,
        "start": span.start_time_unix_nano,
        "end": span.end_time_unix_nano,
        "attributes": attributes(span.attributes),
        "events": [
            {"at": event.time_unix_nano, "name": event.name, "attributes": attributes(event.attributes)}
            for event in span.events
        ],
        "status": span.status.code,
        "message": span.status.message,
        "resource": resource,
        "scope": scope,
    }


def read(body):
    request = json_format.Parse(json.dumps(converted(json.loads(body))), ExportTraceServiceRequest())
    for of_resource in request.resource_spans:
        resource = attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            READ.extend(span_of(span, resource, of_scope.scope.name) for span in of_scope.spans)


class Collector(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, message):
        body = json_format.MessageToJson(message).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        REQUESTS.append({"path": self.path, "authorization": self.headers.get("authorization", "")})
        if self.path != "/v1/traces" or self.headers["content-type"] != "application/json":
            self.send_error(404)
            return
        try:
            read(body)
        except (ValueError, json_format.ParseError) as error:
            response = ExportTraceServiceResponse()
            response.partial_success.rejected_spans = 1
            response.partial_success.error_message = str(error)
            self.answer(400, response)
            return
        self.answer(200, ExportTraceServiceResponse())


def main():
    server = HTTPServer(("127.0.0.1", 0), Collector)
    print(json.dumps({"port": server.server_port}), flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    server.shutdown()
    print(json.dumps({"spans": READ, "requests": REQUESTS}), flush=True)


main()
