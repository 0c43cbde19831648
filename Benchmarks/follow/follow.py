#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""follow.py [--rows NAME,…] NAME=COMMAND…: measures programs that follow a rotated log, and prints a markdown table.

COMMAND has {log} where the path belongs. Its output goes through a pipe into a file, as a container runtime reads it.

    Benchmarks/follow/follow.py 'virt-tail=.build-static/release/virt-tail --logfile {log}' 'tail=tail -F -n +1 {log}'

The log is written in pieces of 1 KiB (at full speed, 32 KiB) and rotated at exactly 2 MiB with three backups (.0 newest), so that lines whose
length does not divide 2 MiB are torn at every rotation. Each line has its number: lost, doubled and torn ones are
counted. The rows with a quota need root and a cgroup file system; figures include no time of the writer.
"""

import argparse
import os
import pathlib
import shlex
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

LIMIT, BACKUPS, PIECE = 2 << 20, 3, 1024
TICK = os.sysconf("SC_CLK_TCK")


def line(number, width):
    return (b"%09d " % number).ljust(width - 1, b".") + b"\n"


class Log:
    """A log as virtlogd leaves it; `limit` 0: never rotated."""

    def __init__(self, path, limit=LIMIT):
        self.path, self.limit, self.size, self.rotations = str(path), limit, 0, 0
        self.file = self.open()

    def open(self):
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, data):
        while data:
            part = data[: self.limit - self.size] if self.limit else data
            if part:
                os.write(self.file, part)
                self.size += len(part)
                data = data[len(part) :]
            if self.limit and self.size >= self.limit and data:
                self.rotate()

    def rotate(self):
        for number in range(BACKUPS - 2, -1, -1):
            if os.path.exists(f"{self.path}.{number}"):
                os.rename(f"{self.path}.{number}", f"{self.path}.{number + 1}")
        os.rename(self.path, self.path + ".0")
        os.close(self.file)
        self.file, self.size, self.rotations = self.open(), 0, self.rotations + 1


class Follower:
    """The program, with its output read by cat."""

    def __init__(self, command, log, folder, quota=None, sink="file"):
        self.out = pathlib.Path(folder) / "out"
        target = open(self.out if sink == "file" else os.devnull, "wb")
        if sink == "null":
            self.cat, output = None, target
        else:
            self.cat = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=target)
            output = self.cat.stdin
        join = (lambda: quota.join()) if quota else None
        words = shlex.split(command.format(log=log))
        self.process = subprocess.Popen(words, stdout=output, stderr=subprocess.DEVNULL, preexec_fn=join)
        if self.cat:
            self.cat.stdin.close()

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory(self, name):
        for row in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if row.startswith(name + ":"):
                return int(row.split()[1]) / 1024
        return 0

    def written(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/io").read_text()
        return int(text.split("wchar: ")[1].split()[0])

    def settle(self, size, limit=60):
        """Waits until so many bytes are out, or nothing comes for three seconds."""
        last, since, end = -1, time.monotonic(), time.monotonic() + limit
        while time.monotonic() < end:
            now = self.out.stat().st_size
            if now >= size:
                return
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > 3:
                return
            time.sleep(0.02)

    def stop(self, number=signal.SIGTERM):
        start = time.monotonic()
        self.process.send_signal(number)
        try:
            status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = "killed"
        seconds = time.monotonic() - start
        if self.cat:
            self.cat.wait()
        return status, seconds


class Quota:
    """A CPU quota of 1.5 ms in 100 ms, Kubernetes' limit of 15m, by either version of cgroups."""

    def __init__(self):
        new = pathlib.Path("/sys/fs/cgroup/cgroup.controllers")
        self.folder = pathlib.Path("/sys/fs/cgroup") / ("" if new.exists() else "cpu") / f"follow-{os.getpid()}"
        self.folder.mkdir()
        if new.exists():
            (self.folder / "cpu.max").write_text("1500 100000")
        else:
            (self.folder / "cpu.cfs_period_us").write_text("100000")
            (self.folder / "cpu.cfs_quota_us").write_text("1500")

    def join(self):
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self):
        self.folder.rmdir()


def faults(out, count, width):
    """Lines of `count` that are lost, doubled, and torn."""
    seen, doubled, torn = bytearray(count), 0, 0
    with open(out, "rb") as file:
        for text in file:
            number = int(text[:9]) if text[:9].isdigit() else count
            if number >= count or text != line(number, width):
                torn += 1
            elif seen[number]:
                doubled += 1
            else:
                seen[number] = 1
    return f"{count - sum(seen)} / {doubled} / {torn}"


def flow(command, folder, seconds, rate, width, quota=None):
    """Lines at `rate` MB/s for so long (0: as fast as possible, 20 MB for each second)."""
    log = Log(folder / "log")
    follower = Follower(command, log.path, folder, quota)
    time.sleep(3 if quota else 0.5)
    count = int((rate or 20) * seconds * 1e6 / width)
    data = b"".join(line(number, width) for number in range(count))
    piece = PIECE if rate else 32 * PIECE
    cpu, start, done = follower.cpu(), time.monotonic(), 0
    while done < len(data):
        due = len(data) if not rate else int((time.monotonic() - start) * rate * 1e6)
        if due < done + piece and due < len(data):
            time.sleep(max(0.0002, (done + piece - due) / (rate * 1e6)))
            continue
        while done < min(due, len(data)):
            log.write(data[done : done + piece])
            done += piece
    elapsed = time.monotonic() - start
    cpu = follower.cpu() - cpu
    follower.settle(len(data))
    peak = follower.memory("VmHWM")
    follower.stop()
    found = faults(follower.out, count, width)
    note = f" ({len(data) / elapsed / 1e6:.0f} MB/s, {log.rotations} rotations)" if not rate else ""
    return f"{found}{note}; CPU {100 * cpu / elapsed:.1f} %, peak {peak:.1f} MB"


def with_quota(*arguments):
    def measure(command, folder):
        quota = Quota()
        try:
            return flow(command, folder, *arguments, quota=quota)
        finally:
            quota.remove()

    return measure


def start(command, folder):
    times = []
    for number in range(30):
        log = Log(folder / f"log-{number}")
        log.write(b"first\n")
        read, write = os.pipe()
        begin = time.monotonic()
        process = subprocess.Popen(
            shlex.split(command.format(log=log.path)), stdout=write, stderr=subprocess.DEVNULL, close_fds=True
        )
        os.close(write)
        os.read(read, 100)
        times.append((time.monotonic() - begin) * 1000)
        process.terminate()
        process.wait()
        os.close(read)
        os.close(log.file)
    return f"{statistics.median(times):.1f} ms, 95 % {sorted(times)[28]:.1f} ms"


def latency(command, folder):
    log = Log(folder / "log")
    read, write = os.pipe()
    process = subprocess.Popen(shlex.split(command.format(log=log.path)), stdout=write, stderr=subprocess.DEVNULL)
    os.close(write)
    times = []
    for number in range(301):
        begin = time.monotonic()
        log.write(line(number, 80))
        os.read(read, 200)
        times.append((time.monotonic() - begin) * 1000)
        time.sleep(0.01)
    process.terminate()
    process.wait()
    # The first includes the program's start.
    return f"{statistics.median(times[1:]):.2f} ms, 95 % {sorted(times[1:])[285]:.2f} ms"


def idle(command, folder):
    log = Log(folder / "log")
    log.write(b"x\n")
    follower = Follower(command, log.path, folder)
    follower.settle(2)
    cpu = follower.cpu()
    time.sleep(20)
    result = f"{follower.memory('VmRSS'):.1f} MB, CPU {follower.cpu() - cpu:.2f} s in 20 s"
    follower.stop()
    return result


def bytewise(command, folder):
    """11.5 KB/s, a serial port at 115,200 baud, one byte per write."""
    log = Log(folder / "log")
    follower = Follower(command, log.path, folder)
    time.sleep(0.5)
    count = 1000
    data = b"".join(line(number, 115) for number in range(count))
    cpu, begin = follower.cpu(), time.monotonic()
    for place in range(len(data)):
        while time.monotonic() - begin < place / 11_500:
            time.sleep(0.00005)
        log.write(data[place : place + 1])
    elapsed = time.monotonic() - begin
    cpu = follower.cpu() - cpu
    follower.settle(len(data))
    follower.stop()
    return f"CPU {100 * cpu / elapsed:.1f} %; {faults(follower.out, count, 115)}"


def endless(command, folder):
    log = Log(folder / "log", limit=0)
    follower = Follower(command, log.path, folder)
    time.sleep(0.5)
    for _ in range(200):
        log.write(b"N" * 1_000_000)
        time.sleep(0.005)
    log.write(b"\nEND\n")
    follower.settle(200_000_005)
    peak = follower.memory("VmHWM")
    status, _ = follower.stop()
    return f"{follower.out.stat().st_size} bytes out, peak {peak:.1f} MB, status {status}"


def drain(sink):
    def measure(command, folder):
        size, part = 1 << 30, line(1, 128) * 8192
        log = Log(folder / "log", limit=0)
        for _ in range(size // len(part)):
            log.write(part)
        begin = time.monotonic()
        follower = Follower(command, log.path, folder, sink=sink)
        while follower.written() < size and time.monotonic() - begin < 120:
            time.sleep(0.002)
        elapsed, cpu = time.monotonic() - begin, follower.cpu()
        follower.stop()
        return f"{size / elapsed / 1e6:.0f} MB/s, CPU {cpu:.2f} s"

    return measure


def blocked(command, folder):
    """SIGTERM while nobody reads the output."""
    log = Log(folder / "log", limit=0)
    log.write(line(1, 128) * 20_000)
    read, write = os.pipe()
    process = subprocess.Popen(shlex.split(command.format(log=log.path)), stdout=write, stderr=subprocess.DEVNULL)
    os.close(write)
    time.sleep(0.5)
    begin = time.monotonic()
    process.terminate()
    try:
        status = process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        status = "killed after 5 s"
    elapsed = time.monotonic() - begin
    os.close(read)
    return f"status {status} after {elapsed:.2f} s"


def signalled(command, folder):
    log = Log(folder / "log")
    log.write(b"x\n")
    follower = Follower(command, log.path, folder)
    follower.settle(2)
    status, seconds = follower.stop()
    return f"status {status} after {seconds * 1000:.0f} ms"


ROWS = {
    "start": ("start to first line", start),
    "latency": ("line written to line out", latency),
    "idle": ("idle: memory", idle),
    "bytewise": ("byte by byte, 11.5 KB/s", bytewise),
    "1MB-128": ("1 MB/s, 128-byte lines", lambda c, f: flow(c, f, 20, 1, 128)),
    "1MB-200": ("1 MB/s, 200-byte lines", lambda c, f: flow(c, f, 20, 1, 200)),
    "10MB-200": ("10 MB/s, 200-byte lines", lambda c, f: flow(c, f, 10, 10, 200)),
    "50MB-128": ("50 MB/s, 128-byte lines", lambda c, f: flow(c, f, 5, 50, 128)),
    "50MB-200": ("50 MB/s, 200-byte lines", lambda c, f: flow(c, f, 5, 50, 200)),
    "max-200": ("full speed, 600 MB", lambda c, f: flow(c, f, 30, 0, 200)),
    "quota-0.1MB": ("CPU limit 15m, 0.1 MB/s", with_quota(40, 0.1, 200)),
    "quota-0.5MB": ("CPU limit 15m, 0.5 MB/s", with_quota(30, 0.5, 200)),
    "quota-1MB": ("CPU limit 15m, 1 MB/s", with_quota(30, 1, 200)),
    "endless": ("200 MB without a line's end", endless),
    "drain-null": ("1 GiB to /dev/null", drain("null")),
    "drain-pipe": ("1 GiB to a pipe", drain("pipe")),
    "drain-file": ("1 GiB through a pipe to a file", drain("file")),
    "term": ("SIGTERM while idle", signalled),
    "blocked": ("SIGTERM, output not read", blocked),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=",".join(ROWS), help="the rows, separated by commas: " + ", ".join(ROWS))
    parser.add_argument("programs", nargs="+", metavar="NAME=COMMAND")
    options = parser.parse_args()
    programs = [word.split("=", 1) for word in options.programs]
    print("| | " + " | ".join(name for name, _ in programs) + " |")
    print("|---|" + "---|" * len(programs))
    for row in options.rows.split(","):
        title, measure = ROWS[row]
        cells = []
        for _, command in programs:
            folder = pathlib.Path(tempfile.mkdtemp(prefix="follow-"))
            try:
                cells.append(measure(command, folder))
            except OSError as error:
                cells.append(f"not measured: {error}")
            finally:
                shutil.rmtree(folder)
        print(f"| {title} | " + " | ".join(cells) + " |", flush=True)


main()
