#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A VM's console as QEMU's `socket,server=on,wait=off` offers it: one client; blocked while the client does
not read; discarded while there is none. Prints numbered 80-byte lines at a steady rate.

console.py SOCKET LINES RATE REPORT: prints LINES lines, and continues until there is a file REPORT.stop. Then it writes
to REPORT one line: how many lines found no client, the longest blocked write in ms, how many clients came, and how many
lines it printed.
Needs python3-minimal only.
"""
import os
import socket
import sys
import time


class Console:
    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o666)
        self.listener.listen(1)
        self.client = None
        self.discarded = self.clients = 0
        self.longest = 0.0

    def accept(self, wait):
        self.listener.settimeout(None if wait else 0)
        try:
            self.client, _ = self.listener.accept()
            self.client.settimeout(None)
            self.clients += 1
        except BlockingIOError:
            pass

    def write(self, data, lines):
        if self.client is None:
            self.accept(wait=False)
        if self.client is None:
            self.discarded += lines
            return
        began = time.monotonic()
        try:
            self.client.sendall(data)
        except OSError:
            self.client = None
            self.discarded += lines
        self.longest = max(self.longest, time.monotonic() - began)


def main():
    path, count, rate, report = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    console = Console(path)
    console.accept(wait=True)
    began = time.monotonic()
    number = 0
    while number < count or not os.path.exists(report + ".stop"):
        # As many lines as are due by now, but not a second's worth at once after a long block.
        due = min(number + max(rate // 20, 1), int((time.monotonic() - began) * rate) + 1)
        if due > number:
            lines = [("guestlog-line %d " % n).ljust(78, "x") + "\r\n" for n in range(number + 1, due + 1)]
            console.write("".join(lines).encode(), len(lines))
            number = due
        time.sleep(0.01)
    with open(report + ".new", "w") as file:
        file.write("%d %d %d %d\n" % (console.discarded, console.longest * 1000, console.clients, number))
    os.rename(report + ".new", report)
    # As a VM that has nothing more to say: the console stays.
    while True:
        time.sleep(3600)


main()
