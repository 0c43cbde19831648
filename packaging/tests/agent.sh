#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# guestlog-agent under real systemd, with a collector in the same machine, on the loopback of AF_VSOCK; run inside a guest by
# scripts/systemd-guest:
#   scripts/systemd-guest --package python3 --deb GUESTLOG_DEB --file AGENT_DEB packaging/tests/agent.sh
set -euo pipefail
cd "$(dirname "$0")"

LINES_LOGGED=${LINES_LOGGED:-3000}
passed=0 failed=0

log() { printf '==> %s\n' "$*"; }
check() {
    local sentence=$1 output
    shift
    if output=$("$@" 2>&1); then
        passed=$((passed + 1)) && log "ok: $sentence"
    else
        failed=$((failed + 1)) && log "FAILED: $sentence ($*)" && printf '%s\n' "$output" | tail -n 20 | sed 's/^/      /'
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
stored() { guestlog logs cid-1 --stream guest -o raw "$@" 2>/dev/null; }
stores() { [[ $(stored "$@" | wc -l) -ge 1 ]]; }
said() { journalctl --no-pager --boot --unit guestlog-agent.service | grep -q "$1"; }

start_collector() {
    printf 'collector: {}\n' \
        >/etc/guestlog/guestlog.yaml
    check "the collector starts" systemctl restart guestlog.service
}

install_agent() {
    mkdir -p /etc/systemd/system/guestlog-agent.service.d
    printf '[Service]\nExecStart=\nExecStart=/usr/sbin/guestlog-agent --to vsock:1:9999\n' \
        >/etc/systemd/system/guestlog-agent.service.d/collector.conf
    check "the agent's package installs, and starts it" dpkg -i guestlog-agent_*.deb
    check "it is active" within 10 systemctl --quiet is-active guestlog-agent.service
}

follow_journal() {
    check "it says that it follows the journal" within 10 said "this boot's journal; the kernel's log from its beginning"
    logger -p daemon.err -t probe 'from logger'
    check "a message arrives" within 20 stores SYSLOG_IDENTIFIER=probe
    check "with its fields" stores SYSLOG_IDENTIFIER=probe PRIORITY=3 SYSLOG_FACILITY=3 _TRANSPORT=syslog _UID=0
    check "the kernel's first message too" within 20 stores _KERNEL_SEQUENCE=0
    check "the journal's first entry of this boot too" within 20 first_entry
    check "a unit's output has its unit" within 20 stores _SYSTEMD_UNIT=guestlog.service
}
first_entry() {
    local first
    first=$(journalctl --boot --output=json --no-pager | grep -v '"_TRANSPORT":"kernel"' | head -n 1)
    stored | grep -qF "$(python3 -c 'import json,sys; print(json.dumps(json.loads(sys.argv[1])["MESSAGE"]))' "$first")"
}

# Restarts under load: the journal has all lines, and the host gets each once.
restart_it() {
    systemd-cat -t count seq "$LINES_LOGGED" &
    for _ in 1 2 3 4 5; do
        sleep 0.5
        systemctl restart guestlog-agent.service
    done
    wait
    check "all lines arrive over five restarts" within 60 has_all
    check "each once, in order" in_order
}
numbers() { stored SYSLOG_IDENTIFIER=count | python3 -c 'import json,sys
for line in sys.stdin: print(json.loads(line)["MESSAGE"])'; }
has_all() { [[ $(numbers | sort -nu | wc -l) -eq $LINES_LOGGED ]]; }
in_order() { diff <(numbers) <(seq "$LINES_LOGGED"); }

start_collector
install_agent
follow_journal
restart_it
echo "agent.sh: $passed passed, $failed failed"
[[ $failed -eq 0 ]]
