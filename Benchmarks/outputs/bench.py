#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench.py GUESTLOG [MEGABYTES]: the CPU time of the outputs, beside rsyslog's on the same lines.

GUESTLOG is a release build. The lines are captured into a store, then delivered to a receiver in this process, which only
counts, through each output; rsyslogd reads the same lines from a file (imfile) and delivers them with omfwd and
omelasticsearch. Printed are megabytes of lines per second of CPU time of the delivering process, user and system, from its
start until the receiver has the last line, the bytes of a line on the wire, and its peak memory.
"""

import gzip
import http.server
import os
import pathlib
import random
import shutil
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

# What kernels and daemons write, with numbers that differ; every line has the mark once.
MARK = b" seq="
TEMPLATES = [
    "[{a:12.6f}] virtio_net virtio0 eth{b}: link becomes ready, speed 10000 Mbps, duplex full seq={n}",
    "[{a:12.6f}] EXT4-fs (vda{b}): mounted filesystem with ordered data mode. Quota mode: none. seq={n}",
    "[{a:12.6f}] systemd[1]: Started session-{n}.scope - Session {n} of User debian. seq={n}",
    "Nov 20 17:{b:02d}:05 web sshd[{c}]: Accepted publickey for debian from 10.0.{b}.{d} port {c} ssh2 seq={n}",
    "Nov 20 17:{b:02d}:06 web nginx: 10.0.{b}.{d} - - GET /api/v1/items/{c} HTTP/1.1 200 {d}{b} seq={n}",
    "[{a:12.6f}] audit: type=1400 audit(1763658{d:03d}.{b:03d}:{c}): apparmor=ALLOWED operation=open pid={c} seq={n}",
    "Nov 20 17:{b:02d}:07 web CRON[{c}]: (root) CMD (command -v debian-sa1 > /dev/null && debian-sa1 1 1) seq={n}",
    "[{a:12.6f}] TCP: request_sock_TCP: Possible SYN flooding on port {c}. Sending cookies. seq={n}",
]


def make_lines(size):
    random.seed(1)
    lines, length = [], 0
    while length < size:
        number = len(lines)
        template = random.choice(TEMPLATES)
        values = {"a": number / 97, "b": random.randrange(60), "c": random.randrange(1024, 65536), "d": random.randrange(256)}
        lines.append(template.format(n=number, **values) + "\n")
        length += len(lines[-1])
    return lines


class Counter:
    """What a receiver has got: lines, by counting a word that every line has once, and bytes on the wire."""

    def __init__(self):
        self.lines = 0
        self.wire = 0
        self.lock = threading.Lock()

    def add(self, data, wire=None):
        with self.lock:
            self.lines += data.count(MARK)
            self.wire += len(data) if wire is None else wire


class HTTPReceiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        wire = len(body)
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.counter.add(body, wire)
        answer = b'{"took":1,"errors":false}' if "_bulk" in self.path else b""
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


class ForwardReceiver(socketserver.BaseRequestHandler):
    def handle(self):
        import msgpack

        unpacker = msgpack.Unpacker(raw=True, max_buffer_size=1 << 30)
        while data := self.request.recv(1 << 20):
            unpacker.feed(data)
            for _, entries, option in unpacker:
                if option.get(b"compressed") == b"gzip":
                    entries = gzip.decompress(entries)
                self.server.counter.add(entries)
                self.request.sendall(msgpack.packb({"ack": option[b"chunk"].decode()}))


class StreamReceiver(socketserver.BaseRequestHandler):
    def handle(self):
        rest = b""
        while received := self.request.recv(1 << 20):
            data = rest + received
            # A word may be cut between two reads.
            self.server.counter.add(data, len(received))
            rest = data[1 - len(MARK):]


def serve(handler, http_server=False):
    kind = http.server.ThreadingHTTPServer if http_server else socketserver.ThreadingTCPServer
    server = kind(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.counter = Counter()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def cpu(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0


def measure(name, command, server, count, megabytes):
    with tempfile.TemporaryFile() as messages:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=messages)
        end = time.monotonic() + 120
        while server.counter.lines < count and time.monotonic() < end and process.poll() is None:
            time.sleep(0.02)
        if process.poll() is not None:
            messages.seek(0)
            sys.exit(f"{name}: {' '.join(command)} has ended: {messages.read().decode()}")
        used, memory = cpu(process.pid), peak(process.pid)
        got = server.counter.lines
        process.send_signal(signal.SIGTERM)
        process.wait()
    server.shutdown()
    note = "" if got >= count else f"   only {got} of {count} lines"
    size = server.counter.wire / max(got, 1)
    print(
        f"{name:34} {megabytes / used:8.1f} MB per CPU second {size:7.1f} bytes a line {memory:7.1f} MiB{note}", flush=True
    )


def main():
    guestlog, megabytes = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 30
    folder = pathlib.Path(tempfile.mkdtemp(prefix="guestlog-bench-outputs."))
    try:
        texts = make_lines(megabytes * 1_000_000)
        lines = folder / "lines"
        lines.write_text("".join(texts))
        print(f"{len(texts)} lines of {megabytes * 1_000_000 / len(texts):.1f} bytes on average", flush=True)
        run(guestlog, folder, lines, len(texts), megabytes)
    finally:
        shutil.rmtree(folder)


def run(guestlog, folder, lines, count, megabytes):
    base = f"store: {folder}/store\nruntime: {folder}/run\n"
    capture = folder / "capture.yaml"
    capture.write_text(base)
    subprocess.run(
        [guestlog, "run", "--name", "web", "--config", str(capture), "--", "cat", str(lines)],
        stdout=subprocess.DEVNULL, check=True,
    )
    forward = "mode: packed, servers: ['127.0.0.1:{port}']"
    outputs = [
        ("guestlog, OTLP, gzip", "otlp", "url: 'http://127.0.0.1:{port}'", HTTPReceiver, True),
        ("guestlog, OTLP", "otlp", "compress: false, url: 'http://127.0.0.1:{port}'", HTTPReceiver, True),
        ("guestlog, bulk, gzip", "elasticsearch", "url: 'http://127.0.0.1:{port}'", HTTPReceiver, True),
        ("guestlog, bulk", "elasticsearch", "compress: false, url: 'http://127.0.0.1:{port}'", HTTPReceiver, True),
        ("guestlog, Loki", "loki", "compress: false, url: 'http://127.0.0.1:{port}'", HTTPReceiver, True),
        ("guestlog, Forward", "forward", forward, ForwardReceiver, False),
        ("guestlog, syslog over TCP", "syslog", "to: 'tcp://127.0.0.1:{port}'", StreamReceiver, False),
    ]
    for name, kind, words, handler, is_http in outputs:
        shutil.rmtree(folder / "store/outputs", ignore_errors=True)
        server = serve(handler, is_http)
        words = words.replace("{port}", str(server.server_address[1]))
        configuration = folder / "serve.yaml"
        configuration.write_text(base + f"outputs: [{{ name: bench, type: {kind}, from: beginning, {words} }}]\n")
        measure(name, [guestlog, "serve", "--config", str(configuration)], server, count, megabytes)
    shutil.rmtree(folder / "store/outputs", ignore_errors=True)
    servers = [serve(HTTPReceiver, True) for _ in range(3)]
    rows = [f"{{ name: live{n}, type: otlp, from: beginning, url: 'http://127.0.0.1:{s.server_address[1]}' }}" for n, s in enumerate(servers)]
    rows += [f"{{ name: dead{n}, type: loki, from: beginning, url: 'http://127.0.0.1:1' }}" for n in range(2)]
    configuration = folder / "serve.yaml"
    configuration.write_text(base + f"outputs: [{', '.join(rows)}]\n")
    measure("guestlog, 5 outputs, 2 of them dead", [guestlog, "serve", "--config", str(configuration)], servers[0], count, megabytes)
    for name, action, handler, is_http in [
        ("rsyslog, omfwd over TCP", 'type="omfwd" target="127.0.0.1" protocol="tcp" TCP_Framing="octet-counted" port="{port}"', StreamReceiver, False),
        ("rsyslog, omelasticsearch", 'type="omelasticsearch" server="127.0.0.1" serverport="{port}" bulkmode="on" skipverifyhost="on" searchIndex="logs" queue.type="linkedlist" queue.dequeuebatchsize="5000" queue.size="100000"', HTTPReceiver, True),
    ]:
        work = folder / name.split()[1].strip(",")
        work.mkdir(exist_ok=True)
        server = serve(handler, is_http)
        configuration = folder / "rsyslog.conf"
        configuration.write_text(
            f'global(workDirectory="{work}")\n'
            'module(load="imfile")\nmodule(load="omelasticsearch")\n'
            f'input(type="imfile" file="{lines}" tag="web")\n'
            f"action({action.replace('{port}', str(server.server_address[1]))})\n"
        )
        command = ["/usr/sbin/rsyslogd", "-n", "-f", str(configuration), "-i", f"{work}/pid"]
        measure(name, command, server, count, megabytes)


main()
