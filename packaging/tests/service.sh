#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The service under real systemd, run inside a guest by scripts/systemd-guest:
#   scripts/systemd-guest --deb DEB --file packaging/tests/console.py --file packaging/tests/libvirt_log.py \
#       packaging/tests/service.sh [PART...]
# Parts: activation ready reload restart watchdog crash upgrade joined confinement network root virtlogd; without any, all of them. In
# restart, watchdog, crash and upgrade a console prints numbered lines all along, and not one may be missing.
#
#   COUNT, RATE    how many lines such a console prints at least, and how many a second (50000, 4000)
set -euo pipefail
cd "$(dirname "$0")"

unit=guestlog.service
# A daemon that never gets ready fails its checks; it does not hang them.
systemctl() { timeout 30 systemctl "$@"; }
COUNT=${COUNT:-50000} RATE=${RATE:-4000}
passed=0 failed=0
work=$(mktemp -d)
writers=()

log() { printf '==> %s\n' "$*"; }
ok() { passed=$((passed + 1)) && log "ok: $*"; }
bad() { failed=$((failed + 1)) && log "FAILED: $*"; }
check() {
    local sentence=$1
    shift
    if "$@" >"$work/output" 2>&1; then ok "$sentence"; else bad "$sentence ($*)" && sed 's/^/      /' "$work/output"; fi
}
property() { systemctl show --property="$1" --value "$unit"; }
is_active() { systemctl --quiet is-active "$unit"; }
is_inactive() { [[ $(systemctl is-active "$unit") == inactive ]]; }
main_pid_is_not() { is_active && [[ $(property MainPID) != "$1" && $(property MainPID) != 0 ]]; }

# within SECONDS COMMAND...: true as soon as COMMAND is.
within() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.1
    done
}

configure() {
    mkdir -p /run/vms
    printf 'consoles:\n  - path: /run/vms/{name}.sock\n' >/etc/guestlog/guestlog.yaml
    check "it starts" systemctl restart "$unit"
    is_active || { journalctl --no-pager --boot --unit "$unit" | tail -n 30 && exit 1; }
}

cleanup() {
    [[ ${#writers[@]} -eq 0 ]] || kill "${writers[@]}" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

# --- A console under load, and what must be in its log afterwards ---

start_console() {
    vm=$1
    python3 console.py "/run/vms/$vm.sock" "$COUNT" "$RATE" "$work/$vm.report" &
    writers+=($!)
    check "$vm: its console is picked up from the watched folder" within 20 in_log "$vm" 'guestlog-line 1 '
}
in_log() { guestlog logs "$1" -o raw 2>/dev/null | grep -q "^$2"; }

finish_console() {
    local discarded longest clients
    : >"$work/$vm.report.stop"
    check "$vm: it printed all its lines" within $((COUNT * 4 / RATE + 30)) test -e "$work/$vm.report"
    read -r discarded longest clients printed <"$work/$vm.report" || return 0
    log "$vm: $printed lines; longest blocked write $longest ms; $clients client(s)"
    check "$vm: its console never lost its reader" test "$discarded $clients" = "0 1"
    check "$vm: its last line is in the log" within 20 in_log "$vm" "guestlog-line $printed "
    guestlog logs "$vm" -o raw 2>/dev/null >"$work/raw" || true
    check "$vm: no line is missing, doubled, torn or out of order" complete
    log "$vm: $(cat "$work/verdict")"
}

complete() {
    tr -d '\r' <"$work/raw" | awk -v last="$printed" '
        /^guestlog-line [0-9]+ x*$/ && length($0) == 78 {
            if ($2 > seen + 1) { holes++; missing += $2 - seen - 1 }
            if ($2 <= seen) { doubled++; next }
            seen = $2
            next
        }
        { torn++ }
        END {
            missing += last - seen
            printf "%d missing in %d hole(s), %d doubled, %d torn, of %d\n", missing, holes, doubled, torn, last
            exit missing + doubled + torn > 0
            }' >"$work/verdict" || { cat "$work/verdict" && return 1; }
}

# --- The parts ---

part_activation() {
    systemctl stop "$unit"
    systemctl start guestlog.socket
    check "the daemon is down" is_inactive
    check "the API socket is there, for root and the group only" \
        test "$(stat -c '%a %U:%G' /run/guestlog/guestlog.sock)" = "660 root:guestlog"
    check "a first request is answered" guestlog vms
    # A root's command may have read the store itself; a connection cannot.
    python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect("/run/guestlog/guestlog.sock")'
    check "the first connection started the daemon" within 20 is_active
}

part_ready() {
    check "it reports READY" systemctl restart "$unit"
    check "it reports its state: $(property StatusText)" test -n "$(property StatusText)"
    check "it runs as guestlog" test "$(stat -c %U "/proc/$(property MainPID)")" = guestlog
    check "a member of the group gets an answer" setpriv --reuid=65534 --regid=65534 --groups="$(getent group guestlog | cut -d: -f3)" \
        guestlog vms --socket /run/guestlog/guestlog.sock
    check "it stops cleanly" systemctl stop "$unit"
    check "and systemd saw no failure" test "$(property Result)" = success
    check "and starts again" systemctl start "$unit"
}

part_reload() {
    local pid
    pid=$(property MainPID)
    check "it reloads" systemctl reload "$unit"
    sleep 1
    check "and continues as the same process" test "$(property MainPID)" = "$pid"
    check "and stays active" is_active
}

part_restart() {
    start_console restarted
    local i
    for i in 1 2 3 4 5; do
        check "restart $i" systemctl restart "$unit"
        sleep 0.5
    done
    check "systemd keeps its consoles: $(property NFileDescriptorStore) descriptor(s)" test "$(property NFileDescriptorStore)" -gt 0
    finish_console
}

part_watchdog() {
    mkdir -p /run/systemd/system/$unit.d
    printf '[Service]\nWatchdogSec=2s\nTimeoutAbortSec=1s\n' >/run/systemd/system/$unit.d/watchdog.conf
    systemctl daemon-reload
    check "it restarts with a watchdog of 2 s" systemctl restart "$unit"
    local pid restarts
    pid=$(property MainPID) restarts=$(property NRestarts)
    sleep 6
    check "it feeds that watchdog" test "$(property MainPID) $(property NRestarts)" = "$pid $restarts"
    start_console watched
    kill -STOP "$pid"
    check "stopped, it is replaced" within 15 main_pid_is_not "$pid"
    check "because of the watchdog" journal_says 'Watchdog timeout'
    finish_console
    rm -r /run/systemd/system/$unit.d
    systemctl daemon-reload
    check "and restarts with the old one" systemctl restart "$unit"
}
journal_says() { journalctl --no-pager --boot --unit "$unit" --grep "$1"; }

part_crash() {
    start_console crashed
    local i pid
    for i in 1 2 3; do
        pid=$(property MainPID)
        kill -KILL "$pid"
        check "killed ($i), it is back" within 15 main_pid_is_not "$pid"
        sleep 0.5
    done
    finish_console
}

part_upgrade() {
    [[ -e /root/package.deb ]] || { log "skipped: upgrade needs the guest started with --deb" && return; }
    start_console upgraded
    local pid
    pid=$(property MainPID)
    check "the package installs over itself" dpkg -i /root/package.deb
    check "and restarts the daemon" main_pid_is_not "$pid"
    check "and the socket is still there" systemctl is-active guestlog.socket
    finish_console
}

# Another user's machine that ran before the daemon found it has not booted.
part_joined() {
    install -d -o 65534 /run/other
    install -m 644 console.py /run/other
    setpriv --reuid=65534 --regid=65534 --clear-groups \
        python3 /run/other/console.py /run/other/old.sock 100 1000 /run/other/report &
    writers+=($!)
    local began=$SECONDS
    check "a machine of another user runs for a while" within 30 seconds_since "$began" 12
    check "its console is added" guestlog add old connect:/run/other/old.sock
    check "its output is stored" within 20 in_log old 'guestlog-line 1 '
    check "and its start is recorded as joined" has_boot_event old joined
    : >/run/other/report.stop
}
seconds_since() { [[ $((SECONDS - $1)) -ge $2 ]]; }
has_boot_event() { guestlog boots "$1" -o json | grep -q "\"start_event\":\"$2\""; }

part_confinement() {
    check "systemd rates its exposure below 2.0" systemd-analyze security --no-pager --threshold=20 "$unit"
    systemd-analyze security --no-pager "$unit" | tail -n 1
    check "it can hold 262144 descriptors" grep -qE '^Max open files +262144 +262144' "/proc/$(property MainPID)/limits"
    check "it would be killed last" grep -qx -- -900 "/proc/$(property MainPID)/oom_score_adj"
    check "it can write nowhere but where it should" invert writable_by_it /etc/guestlog /usr /home /var /var/log
    check "its store is for it and its group" test "$(stat -c '%a %U:%G' /var/lib/guestlog)" = "750 guestlog:guestlog"
}
invert() { ! "$@"; }
# Asked as root, which only a read-only mount can refuse.
writable_by_it() {
    local folder
    for folder in "$@"; do
        nsenter --mount --target "$(property MainPID)" test -w "$folder" && echo "$folder" && return
    done
    return 1
}

# The API over TCP, for a proxy on this host: the packaged unit is limited to loopback addresses.
part_network() {
    printf 'api: { listen: 127.0.0.1:8774, plain: true }\nconsoles: [{ path: "/run/vms/{name}.sock" }]\n' \
        >/etc/guestlog/guestlog.yaml
    check "it starts with a listener" systemctl restart "$unit"
    local token
    token=$(guestlog token add --name proxy)
    check "who has no token is refused" answers 401 none
    check "who has one is answered" answers 200 "$token"
    check "tokens belong to guestlog" test "$(stat -c %U /var/lib/guestlog/access/tokens.json)" = guestlog
    check "the token is nowhere on disk" invert grep -rqF "${token##*_}" /var/lib/guestlog /run/guestlog
    check "a restart keeps it" systemctl restart "$unit"
    check "and it counts" answers 200 "$token"
}
answers() {
    local status
    exec 3<>/dev/tcp/127.0.0.1/8774
    printf 'GET /v1/vms HTTP/1.1\r\nHost: 127.0.0.1:8774\r\nX-Auth-Token: %s\r\nConnection: close\r\n\r\n' "$2" >&3
    read -r _ status _ <&3
    exec 3>&-
    test "$status" = "$1"
}

# Commands of root write to the store beside the daemon.
part_root() {
    printf 'one\ntwo\n' >"$work/notes"
    check "root imports a file" guestlog import --format none --vm notes --stream notes "$work/notes"
    check "what root stored is guestlog's" test -z "$(find /var/lib/guestlog ! -user guestlog)"
    check "and the daemon can mark it as deleted" guestlog rm notes
}

# libvirt's log daemon, a separate unit: killed while a log is written, it continues that log.
part_virtlogd() {
    local unit=guestlog-virtlogd.service log=/var/log/libvirt/packaged.log lines=20000 killed before writer
    mkdir -p /var/log/libvirt
    check "libvirt's log daemon starts" systemctl start "$unit"
    python3 libvirt_log.py /run/libvirt/virtlogd-sock "$log" "$lines" 2000 >"$work/longest" &
    writer=$!
    writers+=("$writer")
    for killed in 1 2 3; do
        check "the log grows" within 20 grows "$log"
        before=$(property MainPID)
        kill -9 "$before"
        check "killed ($killed), it is back" within 20 main_pid_is_not "$before"
    done
    check "the log's pipe was never closed" wait "$writer"
    log "longest blocked write $(cat "$work/longest") ms"
    check "the plain file has every line, once" within 20 has_all "$lines" cat "$log"
    check "so has the store" within 20 has_all "$lines" guestlog logs packaged -s console0 -o raw
    check "what it stored is guestlog's" test -z "$(find /var/lib/guestlog ! -user guestlog)"
    check "and guestlog can read it" grep -q packaged <(setpriv --reuid=guestlog --regid=guestlog --clear-groups guestlog vms --store /var/lib/guestlog)
    check "it stops cleanly" systemctl stop "$unit"
    check "and systemd saw no failure" test "$(property Result)" = success
}
grows() { [[ $(stat -c %s "$1") -gt ${size:-0} ]] && size=$(($(stat -c %s "$1") + 100000)); }
has_all() {
    local lines=$1
    shift
    cmp -s <(seq 1 "$lines") <("$@" 2>/dev/null | awk '/^guestlog-line [0-9]+ x/ { print $2 }')
}

main() {
    local parts=("$@") part began
    [[ ${#parts[@]} -gt 0 ]] || parts=(activation ready reload restart watchdog crash upgrade joined confinement network root virtlogd)
    log "up after $(cut -d' ' -f1 /proc/uptime) s: $(systemctl is-system-running || true)"
    configure
    for part in "${parts[@]}"; do
        declare -F "part_$part" >/dev/null || { bad "no part $part" && continue; }
        log "part $part"
        began=$SECONDS
        "part_$part"
        log "part $part took $((SECONDS - began)) s"
    done
    [[ $failed -eq 0 ]] || journalctl --no-pager --boot --unit "$unit" | tail -n 60
    echo "service: $passed passed, $failed failed"
    [[ $failed -eq 0 ]]
}

main "$@"
