#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench.py GUESTLOG AGENT [RECORDS]: the agent's figures, and agent and collector beside rsyslog on the same messages.

GUESTLOG is a release build, AGENT the static program (scripts/build-agent). First the agent alone: its size, the time until
it serves its socket, its memory, idle and with a full spool, and where that memory is. Then RECORDS messages (default:
400000) are written to a syslog socket that, in turn,

  guestlog-agent serves, which sends them to guestlog serve, which stores them;
  rsyslogd serves (imuxsock), which sends them over TCP (omfwd) to a rsyslogd that writes them to a file.

Printed are messages per second from the first written to the last stored, and seconds of CPU time, user and system, of both
programs for a million messages.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

MESSAGE = "<30>Nov 20 17:00:05 app[4711]: {:09d} connection from 192.0.2.17 closed after 1.25 s, 4096 bytes sent, 0 errors"


def cpu_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(process, *names):
    values = {}
    for line in pathlib.Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
        words = line.split()
        if words[0].rstrip(":") in names:
            values[words[0].rstrip(":")] = int(words[1])
    return values


def mappings(process):
    """Resident KiB by mapping, the largest first."""
    sizes, name = {}, ""
    for line in pathlib.Path(f"/proc/{process.pid}/smaps").read_text().splitlines():
        words = line.split()
        if "-" in words[0] and not words[0].endswith(":"):
            name = (words[5].rsplit("/", 1)[-1] if len(words) > 5 else "anonymous") + " " + words[1]
        elif words[0] == "Rss:":
            sizes[name] = sizes.get(name, 0) + int(words[1])
    return sorted(sizes.items(), key=lambda item: -item[1])


def await_true(condition, what, limit=60):
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"not within {limit} s: {what}")
        time.sleep(0.001)


def start(words, log):
    return subprocess.Popen(words, stdout=log, stderr=log)


def stop(*processes):
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        process.wait()


def client(path):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    connection.connect(str(path))
    return connection


def write(path, count):
    connection = client(path)
    messages = [MESSAGE.format(number).encode() for number in range(count)]
    begin = time.monotonic()
    for message in messages:
        connection.send(message)
    return begin


def agent_alone(agent, folder, log):
    print(f"agent: {os.path.getsize(agent) / 1e6:.2f} MB ({os.path.getsize(agent) / 2**20:.2f} MiB)")
    times = []
    for _ in range(20):
        path = folder / "alone.sock"
        path.unlink(missing_ok=True)
        begin = time.monotonic()
        process = start([agent, "--to", f"unix:{folder}/nobody", "--syslog-socket", path, "--no-kernel", "--state", folder], log)
        while not path.exists():
            time.sleep(0.0001)
        times.append(time.monotonic() - begin)
        stop(process)
    times = [f"{1000 * value:.1f}" for value in sorted(times)]
    print(f"agent: serves its socket {times[0]} ms after it was started (the best of 20; median {times[10]}), fork and exec included")
    path.unlink(missing_ok=True)
    process = start([agent, "--to", f"unix:{folder}/nobody", "--syslog-socket", path, "--no-kernel", "--state", folder], log)
    await_true(path.exists, "the agent's socket")
    time.sleep(0.5)
    for state in ("idle", "with a full spool"):
        values = memory(process, "Rss", "Pss", "Anonymous")
        print(f"agent: {state}: " + ", ".join(f"{name} {value / 1024:.1f} MiB" for name, value in values.items()))
        print("       " + ", ".join(f"{name} {size} KiB" for name, size in mappings(process)[:6]))
        if state == "idle":
            before = cpu_seconds(process)
            time.sleep(5)
            print(f"agent: CPU time in 5 idle seconds: {cpu_seconds(process) - before:.2f} s")
            begin = time.monotonic()
            write(path, 50000)
            used = cpu_seconds(process)
            print(f"agent: {50000 / (time.monotonic() - begin):.0f} messages/s into the spool, {used / 0.05:.1f} s CPU per million")
    stop(process)


def report(name, count, begin, cpu_before, processes):
    seconds = time.monotonic() - begin
    cpu = [cpu_seconds(process) - before for process, before in zip(processes, cpu_before)]
    total = sum(cpu)
    print(
        f"{name}: {count / seconds:.0f} messages/s; per million {total / count * 1e6:.2f} s CPU "
        f"({' + '.join(f'{one / count * 1e6:.2f}' for one in cpu)}): {count / total:.0f} messages per CPU second",
        flush=True,
    )


def ours(guestlog, agent, count, folder, log):
    runtime = pathlib.Path(tempfile.mkdtemp(dir="/dev/shm"))
    configuration = folder / "guestlog.yaml"
    configuration.write_text(
        f"store: {folder}/store\nruntime: {runtime}\nretention: {{ vm: 3GiB, total: 6GiB }}\n"
        f"collector:\n  port: none\n  notify-port: none\n  rate: 1GiB\n  record-rate: 10000000\n"
        f"  guests: [{{ listen: {folder}/web.sock, name: web }}]\n"
    )
    daemon = start([guestlog, "serve", "--config", configuration], log)
    await_true((folder / "web.sock").exists, "the collector's socket")
    path = folder / "agent.sock"
    process = start([agent, "--to", f"unix:{folder}/web.sock", "--syslog-socket", path, "--no-kernel", "--state", folder,
                     "--spool", "64M"], log)
    await_true(path.exists, "the agent's socket")
    time.sleep(0.5)
    before = [cpu_seconds(process), cpu_seconds(daemon)]
    begin = write(path, count)
    stream = folder / "store/web/guest"
    last = f"{count - 1:09d} connection"

    def has_last():
        logs = sorted(stream.glob("*.log"))
        with open(logs[-1], "rb") as file:
            file.seek(max(0, os.path.getsize(logs[-1]) - 4096))
            return last.encode() in file.read()

    await_true(has_last, "the last message in the store")
    report("guestlog-agent + guestlog serve", count, begin, before, [process, daemon])
    stop(process, daemon)
    stored = subprocess.run([guestlog, "logs", "web", "--config", configuration, "-o", "raw"], capture_output=True, check=True)
    lines = stored.stdout.count(b"\n")
    print(f"    stored: {lines} of {count}")
    shutil.rmtree(runtime)


def rsyslog(count, folder, log):
    port = socket.create_server(("127.0.0.1", 0))
    number = port.getsockname()[1]
    port.close()
    for name, rules in (
        ("receiver", f'module(load="imtcp")\ninput(type="imtcp" port="{number}" address="127.0.0.1")\n'
                     f'action(type="omfile" file="{folder}/received.log")\n'),
        ("sender", f'module(load="imuxsock" SysSock.Use="off")\n'
                   f'input(type="imuxsock" Socket="{folder}/rsyslog.sock" RateLimit.Interval="0" CreatePath="on")\n'
                   f'action(type="omfwd" target="127.0.0.1" port="{number}" protocol="tcp" queue.type="LinkedList")\n'),
    ):
        (folder / f"{name}.conf").write_text(f'global(workDirectory="{folder}")\n{rules}')
    processes = [
        start(["rsyslogd", "-n", "-f", folder / f"{name}.conf", "-i", folder / f"{name}.pid"], log)
        for name in ("receiver", "sender")
    ]
    path = folder / "rsyslog.sock"
    await_true(path.exists, "rsyslog's socket")
    time.sleep(1)
    before = [cpu_seconds(process) for process in processes[::-1]]
    begin = write(path, count)
    received = folder / "received.log"
    last = f"{count - 1:09d} connection".encode()

    def has_last():
        if not received.exists():
            return False
        with open(received, "rb") as file:
            file.seek(max(0, os.path.getsize(received) - 4096))
            return last in file.read()

    await_true(has_last, "the last message in rsyslog's file")
    report("rsyslogd (imuxsock, omfwd) + rsyslogd (imtcp, omfile)", count, begin, before, processes[::-1])
    stop(*processes)
    with open(received, "rb") as file:
        print(f"    stored: {sum(1 for _ in file)} of {count}")


def main():
    guestlog, agent = sys.argv[1:3]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 400_000
    folder = pathlib.Path(tempfile.mkdtemp(prefix="guestlog-bench-", dir="/tmp"))
    try:
        with open(folder / "log", "wb") as log:
            agent_alone(agent, folder, log)
            ours(guestlog, agent, count, folder, log)
            if shutil.which("rsyslogd"):
                rsyslog(count, folder, log)
    finally:
        shutil.rmtree(folder)


main()
