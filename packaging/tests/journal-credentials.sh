#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A guest with systemd 256 or newer, in which nothing is installed for logging: credentials make it send its journal and its
# state. Run inside a guest by scripts/systemd-guest in each of two boots:
#   scripts/systemd-guest --suite trixie --reboots --package python3 --deb DEB \
#       --smbios io.systemd.credential:journal.forward_to_socket=vsock-stream:1:9999 \
#       --smbios io.systemd.credential:vmm.notify_socket=vsock-stream:1:9998 \
#       --initrd packaging/tests/journal-credentials.initrd packaging/tests/journal-credentials.sh
# First without a receiver, then with a collector that is there before systemd starts.
set -euo pipefail
cd "$(dirname "$0")"

log() { printf '==> %s\n' "$*"; }
check() {
    local sentence=$1 output
    shift
    if output=$("$@" 2>&1); then
        echo passed >>/root/checks && log "ok: $sentence"
    else
        echo failed >>/root/checks && log "FAILED: $sentence ($*)"
        printf '%s\n' "$output" | tail -n 20 | sed 's/^/      /'
    fi
}
within() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.2
    done
}
stored() { guestlog logs cid-1 --store /host/store -o raw "$@" 2>/dev/null; }
stores() { [[ $(stored "$@" | wc -l) -ge 1 ]]; }
has_booted() { [[ -n $(systemctl show --property FinishTimestamp --value) ]]; }
start_duration() { systemctl show --property UserspaceTimestampMonotonic --property FinishTimestampMonotonic --value |
    tr '\n' ' ' | awk '{ printf "%.1f s\n", ($2 - $1) / 1e6 }'; }

# The messages of this boot's journal up to the entry with the text $1, and what the collector has of them.
journal_messages() {
    journalctl --boot --output=json --no-pager | python3 -c 'import json, sys
for line in sys.stdin:
    message = json.loads(line).get("MESSAGE")
    print(json.dumps(message))
    if message == sys.argv[1]:
        break' "$1"
}
stored_messages() {
    stored --stream journal | python3 -c 'import json, sys
for line in sys.stdin: print(json.dumps(json.loads(line).get("MESSAGE")))'
}
has_all_until() {
    journal_messages "$1" >sent
    [[ $(wc -l <sent) -gt 100 ]] && stored_messages >received && diff <(comm -23 <(sort sent) <(sort received)) /dev/null
}
reports_ready() { guestlog boots cid-1 --store /host/store | tee boots && grep -qE ' [0-9.]+ s +-$' boots; }

again() {
    systemctl --no-block reboot 2>/dev/null
    sleep infinity
}

without_receiver() {
    log "systemd $(systemctl --version | head -n 1)"
    check "without a receiver the guest boots" within 120 has_booted
    log "its start took $(start_duration) without a receiver"
    touch absent-seen
    again
}

with_receiver() {
    check "with a receiver the guest boots" within 120 has_booted
    log "its start took $(start_duration) with a receiver"
    logger -p daemon.err -t probe "to the host"
    check "a message arrives" within 30 stores SYSLOG_IDENTIFIER=probe
    check "with its fields" stores SYSLOG_IDENTIFIER=probe PRIORITY=3 SYSLOG_FACILITY=3 _TRANSPORT=syslog _UID=0
    check "so did all earlier ones, from the kernel's first on" has_all_until "to the host"
    check "systemd said that the guest is ready" within 30 stores --stream notify READY=1
    check "the list of boots has the time until it was ready" reports_ready
}

if [[ ! -e absent-seen ]]; then
    without_receiver
else
    with_receiver
    passed=$(grep -c passed checks || true) failed=$(grep -c failed checks || true)
    echo "journal-credentials.sh: $passed passed, $failed failed"
    [[ $failed -eq 0 ]]
fi
