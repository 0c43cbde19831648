# SPDX-License-Identifier: Apache-2.0
"""guest_channel.py MODE PROTO SOCKET: speaks a collector's protocols with code that protoc generates.

send      an agent: sends a hello and three records to a collector, and prints its answers
receive   a collector: accepts an agent, and prints what it sends, until it has sent three records
chromeos  calls vm_tools.LogCollector as ChromeOS's vm_syslog does, and prints the status of each call
forwarder answers these calls as ChromeOS's vmlog_forwarder does, which refuses the kernel's, until it has five records, and
          prints each
"""

import importlib
import pathlib
import socket
import struct
import sys
import tempfile
import threading
from concurrent import futures

import grpc
from google.protobuf import text_format
from grpc_tools import protoc

CHROMEOS = """
syntax = "proto3";
package vm_tools;
message EmptyMessage {}
message Timestamp { int64 seconds = 1; int32 nanos = 2; }
enum LogSeverity {
  MISSING = 0; EMERGENCY = 1; ALERT = 2; CRITICAL = 3; ERROR = 4; WARNING = 5; NOTICE = 6; INFO = 7; DEBUG = 8;
}
message LogRecord { LogSeverity severity = 1; Timestamp timestamp = 2; bytes content = 5; }
message LogRequest { repeated LogRecord records = 1; }
"""


def generated(path):
    """The module that protoc generates from the file at `path`."""
    path = pathlib.Path(path)
    out = tempfile.mkdtemp()
    if protoc.main(["protoc", f"-I{path.parent}", f"--python_out={out}", path.name]) != 0:
        sys.exit(f"protoc cannot read {path}")
    sys.path.insert(0, out)
    return importlib.import_module(path.stem + "_pb2")


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def send(connection, message):
    payload = message.SerializeToString()
    connection.sendall(b"\x00GL\x01" + struct.pack(">II", len(payload), crc32c(payload)) + payload)


def receive(stream, message):
    magic, size, checksum = struct.unpack(">4sII", stream.read(12))
    payload = stream.read(size)
    assert magic == b"\x00GL\x01" and crc32c(payload) == checksum
    message.ParseFromString(payload)
    return message


def show(message):
    print(text_format.MessageToString(message, as_one_line=True), flush=True)


def be_agent(channel, path):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    stream = connection.makefile("rb")
    hello = channel.Hello(version=1, session=bytes(range(16)), program="python", boot=bytes(16))
    send(connection, channel.FromAgent(hello=hello))
    show(receive(stream, channel.FromCollector()))
    records = []
    for number in (1, 2, 3):
        record = channel.LogRecord(severity=channel.ERROR, content=b"m%d" % number, sequence=number)
        record.timestamp.seconds, record.timestamp.nanos = 1700000000, number
        record.source, record.facility, record.tag, record.process = channel.KERNEL, 0, b"t", b"7"
        record.kernel_sequence, record.monotonic = 0, 5
        record.fields.add(name=b"_KERNEL_SUBSYSTEM", value=b"net")
        records.append(record)
    send(connection, channel.FromAgent(records=channel.LogRequest(records=records)))
    answer = channel.FromCollector()
    while answer.acknowledgement.sequence < 3:
        answer = receive(stream, channel.FromCollector())
    show(answer)


def be_collector(channel, path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    print("listening", flush=True)
    connection, _ = listener.accept()
    stream = connection.makefile("rb")
    hello = receive(stream, channel.FromAgent()).hello
    assert hello.version == 1 and len(hello.session) == 16 and len(hello.boot) == 16 and hello.program
    welcome = channel.Welcome(session=hello.session, acknowledged=0)
    send(connection, channel.FromCollector(welcome=welcome))
    count = 0
    while count < 3:
        for record in receive(stream, channel.FromAgent()).records.records:
            count += 1
            record.ClearField("timestamp")
            show(record)
    acknowledgement = channel.Acknowledgement(sequence=count)
    send(connection, channel.FromCollector(acknowledgement=acknowledgement))


def chromeos_messages():
    folder = pathlib.Path(tempfile.mkdtemp())
    (folder / "vm_host.proto").write_text(CHROMEOS)
    return generated(folder / "vm_host.proto")


def serve_chromeos(path):
    messages = chromeos_messages()
    done = threading.Event()
    count = 0

    def collect_user_logs(request, context):
        nonlocal count
        for record in request.records:
            count += 1
            print(messages.LogSeverity.Name(record.severity), record.content.decode(), flush=True)
        if count >= 5:
            done.set()
        return messages.EmptyMessage()

    def collect_kernel_logs(request, context):
        print(f"{len(request.records)} of the kernel", flush=True)
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "the console has them")

    methods = {"CollectUserLogs": collect_user_logs, "CollectKernelLogs": collect_kernel_logs}
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(
            method,
            request_deserializer=messages.LogRequest.FromString,
            response_serializer=messages.EmptyMessage.SerializeToString,
        )
        for name, method in methods.items()
    }
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("vm_tools.LogCollector", handlers),))
    server.add_insecure_port("unix:" + path)
    server.start()
    print("listening", flush=True)
    done.wait()
    server.stop(1).wait()


def call_chromeos(path):
    messages = chromeos_messages()
    request = messages.LogRequest()
    for number in range(300):
        record = request.records.add(severity=messages.WARNING, content=b"c%d" % number)
        record.timestamp.seconds = 1700000000
    with grpc.insecure_channel("unix:" + path) as channel:
        for method in ("CollectUserLogs", "CollectKernelLogs", "CollectUserLogs", "Unknown"):
            call = channel.unary_unary(
                "/vm_tools.LogCollector/" + method,
                request_serializer=messages.LogRequest.SerializeToString,
                response_deserializer=messages.EmptyMessage.FromString,
            )
            try:
                call(request, timeout=20)
                print("OK", flush=True)
            except grpc.RpcError as error:
                print(error.code().name, flush=True)


def main():
    mode, proto, path = sys.argv[1:]
    if mode == "chromeos":
        call_chromeos(path)
    elif mode == "forwarder":
        serve_chromeos(path)
    elif mode == "send":
        be_agent(generated(proto), path)
    else:
        be_collector(generated(proto), path)


main()
