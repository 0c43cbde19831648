#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kube_api.py FOLDER [CERTIFICATE KEY [CLIENT_CA]]: a stand-in for the parts of the Kubernetes API that show pods' logs,
and for the part of the kubelet that a real API server gets them from.

It is driven by the real kubectl in the same suite as by the plug-in. It prints its port and serves, from FOLDER,
which tests change while it runs:

  objects/*.json   the objects; their apiVersion, kind, namespace and name say where they are
  logs/POD.log     the log of a pod, its lines as the kubelet has them: TIME TEXT
  token            the bearer token that is required, if the file exists
  cut              the number of bytes after which a response that follows a log ends, as at a rotation of old kubelets
  break            the number of bytes after which the connection of any other response with a log breaks
  logs/POD.refused the HTTP status and message with which requests for the log of a pod are refused
  forget           while it exists, watches are answered with 410 Gone
  requests         every request is appended here
"""

import datetime
import http.server
import json
import os
import pathlib
import re
import ssl
import sys
import time
import urllib.parse

FOLDER = pathlib.Path(sys.argv[1])
PLURALS = {
    "pods": "Pod",
    "virtualmachineinstances": "VirtualMachineInstance",
    "virtualmachines": "VirtualMachine",
    "kubevirts": "KubeVirt",
}
STEP = 0.02


def objects(kind):
    """The objects of a kind. A file that is being written is read again."""
    found = []
    for path in sorted((FOLDER / "objects").glob("*.json")):
        try:
            value = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        if value["kind"] == kind:
            value["metadata"].setdefault("resourceVersion", str(path.stat().st_mtime_ns))
            found.append(value)
    return found


def matches(value, selector):
    labels = value["metadata"].get("labels", {})
    for term in filter(None, selector.split(",")):
        name, _, wanted = term.partition("=")
        if labels.get(name) != wanted.lstrip("="):
            return False
    return True


def when(stamp):
    """A time with up to nine decimals, to the microsecond."""
    stamp = re.sub(r"(\.\d{6})\d+", r"\1", stamp.replace("Z", "+00:00"))
    return datetime.datetime.fromisoformat(stamp)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        with (FOLDER / "requests").open("a") as requests:
            requests.write(self.path + "\n")
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        token = FOLDER / "token"
        if token.exists() and self.headers.get("Authorization") != "Bearer " + token.read_text().strip():
            return self.refuse(401, "Unauthorized")
        parts = [urllib.parse.unquote(part) for part in url.path.strip("/").split("/")]
        if url.path == "/api":
            return self.answer({"kind": "APIVersions", "versions": ["v1"]})
        if url.path == "/apis":
            return self.answer({"kind": "APIGroupList", "apiVersion": "v1", "groups": []})
        if url.path == "/api/v1":
            names = [("pods", True), ("pods/log", True)]
            resources = [{"name": n, "namespaced": s, "kind": "Pod", "verbs": ["get", "list"]} for n, s in names]
            return self.answer({"kind": "APIResourceList", "groupVersion": "v1", "resources": resources})
        if parts[0] == "containerLogs":
            return self.log(parts[2], query)
        parts = parts[2:] if parts[0] == "api" else parts[3:]
        namespace = None
        if parts and parts[0] == "namespaces":
            namespace, parts = parts[1], parts[2:]
        if not parts or parts[0] not in PLURALS:
            return self.refuse(404, "the server could not find the requested resource")
        found = [o for o in objects(PLURALS[parts[0]]) if namespace in (None, o["metadata"].get("namespace"))]
        if len(parts) == 1:
            select = query.get("labelSelector", "")
            if "watch" in query:
                return self.watch(PLURALS[parts[0]], namespace, select)
            return self.list([o for o in found if matches(o, select)])
        found = [o for o in found if o["metadata"]["name"] == parts[1]]
        if not found:
            return self.refuse(404, f'{parts[0]} "{parts[1]}" not found')
        if parts[2:] == ["log"]:
            return self.log(parts[1], query)
        return self.answer(found[0])

    def answer(self, value, status=200):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status, message):
        self.answer({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": status}, status)

    def list(self, found):
        self.answer({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": found})

    def begin(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, data):
        if data:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

    def end(self):
        self.wfile.write(b"0\r\n\r\n")

    def watch(self, kind, namespace, select):
        if (FOLDER / "forget").exists():
            return self.refuse(410, "too old resource version")
        self.begin()
        known = {}
        first = True
        while True:
            now = {}
            for value in objects(kind):
                if namespace in (None, value["metadata"].get("namespace")) and matches(value, select):
                    now[value["metadata"]["uid"]] = value
            events = []
            for uid, value in now.items():
                if known.get(uid) != value:
                    events.append({"type": "MODIFIED" if uid in known else "ADDED", "object": value})
            events += [{"type": "DELETED", "object": known[uid]} for uid in known if uid not in now]
            if not first or events:
                self.chunk(b"".join(json.dumps(event).encode() + b"\n" for event in events))
            first, known = False, now
            time.sleep(STEP)

    def log(self, pod, query):
        refused = FOLDER / "logs" / (pod + ".refused")
        if refused.exists():
            status, _, message = refused.read_text().partition(" ")
            return self.refuse(int(status), message)
        path = FOLDER / "logs" / (pod + ".log")
        wanted = query.get("sinceTime")
        since = when(wanted) if wanted else None
        stamps = query.get("timestamps") == "true"
        cut = FOLDER / ("cut" if "follow" in query else "break")
        limit = int(cut.read_text()) if cut.exists() else None
        tail = int(query["tailLines"]) if "tailLines" in query else None
        self.begin()
        sent = 0
        position = 0
        while True:
            data = path.read_bytes()[position:] if path.exists() else b""
            data = data[: data.rfind(b"\n") + 1]
            position += len(data)
            lines = data.splitlines(keepends=True)
            if tail is not None:
                lines, tail = (lines[-tail:] if tail else []), None
            out = b""
            for line in lines:
                stamp, _, text = line.partition(b" ")
                if since is None or when(stamp.decode()) >= since:
                    out += line if stamps else text
            if limit is not None and sent + len(out) >= limit:
                self.chunk(out[: limit - sent])
                if cut.name == "cut":
                    return self.end()
                self.close_connection = True
                return None
            self.chunk(out)
            sent += len(out)
            if query.get("follow") != "true" or self.has_ended(pod):
                return self.end()
            time.sleep(STEP)

    def has_ended(self, pod):
        """Whether the container has ended. Of a pod without an object a file says it."""
        found = [o for o in objects("Pod") if o["metadata"]["name"] == pod]
        if not found:
            return (FOLDER / "logs" / (pod + ".ended")).exists()
        return found[0].get("status", {}).get("phase") in ("Succeeded", "Failed")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


server = Server(("127.0.0.1", 0), Handler)
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    if len(sys.argv) > 4:
        context.load_verify_locations(sys.argv[4])
        context.verify_mode = ssl.CERT_REQUIRED
    server.socket = context.wrap_socket(server.socket, server_side=True)
(FOLDER / "objects").mkdir(parents=True, exist_ok=True)
(FOLDER / "logs").mkdir(exist_ok=True)
print(server.server_address[1], flush=True)
os.chdir("/")
server.serve_forever()
