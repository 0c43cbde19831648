# SPDX-License-Identifier: Apache-2.0
"""forward_receiver.py FILE: a receiver of the Fluentd Forward protocol on msgpack's own decoder, which acknowledges chunks.

Prints its port, then appends a line to FILE for each entry: its tag, seconds, nanoseconds, id and message, by tabs.
"""

import gzip
import socketserver
import struct
import sys

import msgpack


class Receiver(socketserver.BaseRequestHandler):
    def handle(self):
        unpacker = msgpack.Unpacker()
        while data := self.request.recv(1 << 16):
            unpacker.feed(data)
            for tag, entries, option in unpacker:
                if isinstance(entries, bytes):
                    packed = gzip.decompress(entries) if option.get("compressed") == "gzip" else entries
                    entries = list(unpacked(packed))
                assert option["size"] == len(entries), option
                with open(sys.argv[1], "a", encoding="utf-8") as file:
                    for time, record in entries:
                        assert time.code == 0
                        seconds, nanoseconds = struct.unpack(">II", time.data)
                        words = [tag, seconds, nanoseconds, record["id"], record["message"]]
                        file.write("\t".join(str(word) for word in words) + "\n")
                self.request.sendall(msgpack.packb({"ack": option["chunk"]}))


def unpacked(packed):
    unpacker = msgpack.Unpacker()
    unpacker.feed(packed)
    return unpacker


server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Receiver)
server.daemon_threads = True
print(server.server_address[1], flush=True)
server.serve_forever()
