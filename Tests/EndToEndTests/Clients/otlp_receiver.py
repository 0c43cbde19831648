# SPDX-License-Identifier: Apache-2.0
"""otlp_receiver.py FILE: a receiver of OTLP/HTTP in protobuf, decoded with OpenTelemetry's own definitions.

Prints its port, then appends a line to FILE for each record: its time, id, resource's host.name and body, by tabs.
"""

import gzip
import http.server
import sys

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        request = ExportLogsServiceRequest.FromString(body)
        with open(sys.argv[1], "a", encoding="utf-8") as file:
            for resource in request.resource_logs:
                names = {a.key: a.value.string_value for a in resource.resource.attributes}
                for scope in resource.scope_logs:
                    for record in scope.log_records:
                        own = {a.key: a.value.string_value for a in record.attributes}
                        keys = [a.key for a in record.attributes]
                        assert len(keys) == len(set(keys)), keys
                        words = [record.time_unix_nano, own["log.record.uid"], names["host.name"], record.body.string_value]
                        file.write("\t".join(str(word) for word in words) + "\n")
        answer = ExportLogsServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_address[1], flush=True)
server.serve_forever()
