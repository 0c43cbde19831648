#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Stands in for libvirtd and QEMU: asks the log daemon for a log's pipe, and writes numbered 80-byte lines into it.

libvirt_log.py SOCKET LOG LINES RATE: opens LOG (one OPEN call of libvirt's log_protocol.x), writes LINES lines at RATE a
second, and prints the longest blocked write in ms. Fails when the pipe is closed at the other end.
Needs python3-minimal only.
"""
import array
import socket
import struct
import sys
import time


def text(value):
    data = value.encode()
    return struct.pack(">I", len(data)) + data + b"\0" * (-len(data) % 4)


def open_log(path, log):
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(path)
    arguments = text("qemu") + bytes(range(16)) + text("packaged") + text(log) + struct.pack(">I", 0)
    peer.sendall(struct.pack(">IIIIIII", 28 + len(arguments), 0x87539319, 1, 1, 0, 0, 0) + arguments)
    (length,) = struct.unpack(">I", peer.recv(4, socket.MSG_WAITALL))
    answer = peer.recv(length - 4, socket.MSG_WAITALL)
    if struct.unpack(">I", answer[20:24])[0] != 0:
        sys.exit("refused: %r" % answer)
    _, ancillary, _, _ = peer.recvmsg(1, socket.CMSG_SPACE(4))
    return array.array("i", ancillary[0][2][:4])[0]


def main():
    path, log, count, rate = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    pipe = open(open_log(path, log), "wb", buffering=0)
    began = time.monotonic()
    longest = 0.0
    for number in range(1, count + 1):
        time.sleep(max(0, began + number / rate - time.monotonic()))
        line = ("guestlog-line %d " % number).ljust(79, "x") + "\n"
        started = time.monotonic()
        pipe.write(line.encode())
        longest = max(longest, time.monotonic() - started)
    print("%.0f" % (longest * 1000))


main()
