# shellcheck shell=bash
# Functions of the scripts: messages, missing packages, scratch folders, starting a small guest.
# Source it after `set -euo pipefail`. Apart from the trap that prints where a script failed, it changes nothing
# until one of its functions is called.
#
# GUESTLOG_BUILD   the folder for all built and fetched files; default: build/ beside scripts/

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${GUESTLOG_BUILD:-$root/build}
cache=$build/cache
export DEBIAN_FRONTEND=noninteractive

# Under `set -e` a script may end at any command: print which.
set -o errtrace
trap 'printf "%s:%s: failed: %s\n" "${BASH_SOURCE[0]}" "$LINENO" "$BASH_COMMAND" >&2' ERR

# Messages go to standard error, so that standard output is free for a script's result.
log() { printf '==> %s\n' "$*" >&2; }
die() {
    # The message is enough.
    trap - ERR
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# as_root COMMAND...: runs it as root, or prints why it cannot.
as_root() {
    if [[ $EUID -eq 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo --preserve-env=DEBIAN_FRONTEND "$@"
    else
        die "needs root for: $* (run it as root, or install sudo)"
    fi
}

# build_static PROGRAM: builds build/PROGRAM, stripped, with all libraries linked in, and prints its path.
build_static() {
    command -v swift >/dev/null || die "no Swift toolchain: install Swift 6.2 or later from swift.org"
    need_packages libzstd-dev libpcre2-dev zlib1g-dev pkg-config binutils
    log "building $1 (release, all libraries linked in)"
    # The flags differ from those of the other programs, and so does the folder: neither build discards the other's
    # results.
    # The address of the code is no multiple of 2 MiB: the kernel would map pages of that size, all of which count as the
    # program's memory.
    local options=(-c release --product "$1" --static-swift-stdlib --scratch-path "$root/.build-static"
        -Xswiftc -static-executable -Xlinker --gc-sections -Xlinker --icf=safe -Xlinker -Ttext-segment=0x410000)
    swift build --package-path "$root" "${options[@]}" >&2
    mkdir -p "$build"
    strip -o "$build/$1" "$(swift build --package-path "$root" "${options[@]}" --show-bin-path)/$1"
    echo "$build/$1"
}

installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# need_packages PACKAGE...: installs those Debian packages that are missing; silent when none is.
need_packages() {
    local missing=() package
    for package in "$@"; do
        installed "$package" || missing+=("$package")
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0
    log "installing what is missing: ${missing[*]}"
    command -v apt-get >/dev/null || die "no apt-get here; install by hand: ${missing[*]}"
    apt_quietly install -y --no-install-recommends "${missing[@]}" && return
    # The usual reason is an old or empty package list.
    fresh_package_list
    apt_quietly install -y --no-install-recommends "${missing[@]}" || die "could not install: ${missing[*]}"
}

fresh_package_list() {
    log "fetching Debian's package list"
    apt_quietly update || die "apt-get update failed: no network, or no Debian mirror configured"
}

# Prints apt-get's output only when it fails.
apt_quietly() {
    local output
    output=$(as_root apt-get -q "$@" 2>&1) && return
    printf '%s\n' "$output" | tail -n 20 >&2
    return 1
}

# fetch_package PACKAGE: prints the path of its .deb, fetched once into build/cache.
fetch_package() {
    local package=$1 name
    name=$(package_file "$package")
    if [[ -n $name && -s $cache/deb/$name ]]; then
        printf '%s\n' "$cache/deb/$name"
        return
    fi
    # An old or empty package list names nothing, or a file the mirror no longer has.
    download "$package" || { fresh_package_list && download "$package"; } || die "could not fetch $package"
    name=$(package_file "$package")
    printf '%s\n' "$cache/deb/$name"
}

package_file() {
    local path
    path=$(apt-cache show --no-all-versions "$1" 2>/dev/null | awk '/^Filename:/ && !n++ { print $2 }' || true)
    [[ -z $path ]] || basename "$path"
}

download() {
    local package=$1 name folder=$scratch/download
    name=$(package_file "$package")
    [[ -n $name ]] || return 1
    log "fetching $package"
    mkdir -p "$cache/deb" "$folder"
    (cd "$folder" && apt_quietly download "$package") || return 1
    mv "$folder"/*.deb "$cache/deb/$name"
}

# Runs COMMAND when the script ends, however it ends; the last one asked for runs first.
at_exit_commands=()
at_exit() {
    at_exit_commands+=("$(printf '%q ' "$@")")
    trap run_at_exit EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

run_at_exit() {
    local status=$? i
    set +e
    for ((i = ${#at_exit_commands[@]} - 1; i >= 0; i--)); do
        eval "${at_exit_commands[i]}"
    done
    exit "$status"
}

# make_scratch: sets `scratch` to an empty folder that is removed when the script ends.
scratch=
make_scratch() {
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/guestlog-$(basename "$0").XXXXXX")
    at_exit rm -rf --one-file-system "$scratch"
}

# stop_process PID: SIGTERM, 5 s of grace, SIGKILL.
stop_process() {
    local pid=$1 tries
    kill "$pid" 2>/dev/null || return 0
    for ((tries = 0; tries < 50; tries++)); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
}

# wait_until SECONDS COMMAND...: true as soon as COMMAND is.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}

# The Debian release and architecture everything is made for.
# shellcheck disable=SC2034 # read by the scripts that source this
suite=bookworm
architecture() { dpkg --print-architecture; }

# The version is the newest heading of CHANGELOG.md, "## 1.2.3".
version() {
    local found=
    [[ ! -e $root/CHANGELOG.md ]] ||
        found=$(sed -nE '/^## \[?v?[0-9]+\.[0-9]+\.[0-9]+/ { s/^## \[?v?([0-9]+\.[0-9]+\.[0-9]+).*/\1/p; q }' "$root/CHANGELOG.md")
    echo "${found:-0.1.0}"
}

qemu_package() {
    case $(architecture) in
    amd64) echo qemu-system-x86 ;;
    arm64) echo qemu-system-arm ;;
    *) die "no guest recipe for $(architecture) yet; it would go into scripts/lib.sh" ;;
    esac
}

# kernel_deb: prints the path of the .deb of Debian's cloud kernel: small, and serial ports built in.
kernel_deb() {
    local meta package
    meta=linux-image-cloud-$(architecture)
    package=$(kernel_behind "$meta")
    if [[ -z $package ]]; then
        fresh_package_list
        package=$(kernel_behind "$meta")
    fi
    [[ -n $package ]] || die "Debian's $meta names no kernel"
    fetch_package "$package"
}

kernel_behind() {
    { apt-cache depends "$1" 2>/dev/null || true; } | awk '$1 == "Depends:" && $2 ~ /^linux-image-/ && !n++ { print $2 }'
}

# kernel_files FOLDER: Debian's cloud kernel as FOLDER/vmlinuz, and the drivers QEMU's virtio devices
# need, flat and in the order to load them, in FOLDER/modules.
kernel_files() {
    local folder=$1 deb name
    deb=$(kernel_deb)
    mkdir -p "$folder/modules" "$scratch/kernel"
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$scratch/kernel" --wildcards './boot/vmlinuz-*' '*/virtio*.ko' '*/*vsock*.ko'
    mv "$scratch"/kernel/boot/vmlinuz-* "$folder/vmlinuz"
    for name in "${virtio_modules[@]}" "${vsock_modules[@]}"; do
        find "$scratch/kernel/lib" -name "$name.ko" -exec mv -t "$folder/modules" {} +
    done
    rm -rf "$scratch/kernel"
}
virtio_modules=(virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk virtio_console)
# Sockets between VMs and their host, here within one machine.
vsock_modules=(vsock vmw_vsock_virtio_transport_common vsock_loopback)

# guest_qemu DIR NAME CHARDEV [WORDS [QEMU-OPTION...]]: sets the array `qemu` to the command that boots
# the guest of DIR (scripts/make-guest) as the VM NAME under software emulation, with its serial console
# on CHARDEV, for example socket,path=/run/vms/web.sock,server=on,wait=off. WORDS go onto the kernel
# command line. It boots in about 1.5 s; the defaults that cost time (VGA, network, IDE) are left out.
guest_qemu() {
    local dir=$1 name=$2 chardev=$3 words=${4-}
    shift $(($# < 4 ? $# : 4))
    local machine=(qemu-system-x86_64 -machine pc) console=ttyS0
    if [[ $(architecture) == arm64 ]]; then
        machine=(qemu-system-aarch64 -machine virt) console=ttyAMA0
    fi
    # shellcheck disable=SC2034 # the caller's
    qemu=("${machine[@]}" -accel tcg -cpu max -m 128 -name "$name" -nodefaults -display none
        -chardev "$chardev,id=console0" -serial chardev:console0
        -kernel "$dir/vmlinuz" -initrd "$dir/initrd.gz"
        -append "console=$console panic=1 $words" "$@")
}

# debian_root FOLDER VARIANT PACKAGE...: a fresh Debian tree with those packages in FOLDER, from a tarball
# that is made once and kept under build/cache as VARIANT.
debian_root() {
    local folder=$1 variant=$2 tarball recipe
    shift 2
    recipe=$(printf '%s\n' "$suite" "$@" | sha256sum | cut -c1-12)
    tarball=$cache/$suite-$variant-$recipe.tar
    if [[ ! -s $tarball ]]; then
        need_packages debootstrap
        log "making a Debian $suite tree ($variant), once"
        mkdir -p "$cache" "$scratch/debootstrap"
        as_root debootstrap --variant=minbase --include="$(IFS=, && echo "$*")" \
            "$suite" "$scratch/debootstrap" "${GUESTLOG_MIRROR:-http://deb.debian.org/debian}" >"$scratch/debootstrap.log" 2>&1 || {
            tail -n 20 "$scratch/debootstrap.log" >&2
            die "debootstrap failed; its last lines are above (another mirror: GUESTLOG_MIRROR=URL)"
        }
        as_root rm -rf "$scratch/debootstrap/var/cache/apt/archives" "$scratch/debootstrap/usr/share/doc" \
            "$scratch/debootstrap/usr/share/locale" "$scratch/debootstrap/usr/share/man"
        as_root tar -C "$scratch/debootstrap" --one-file-system -cf "$scratch/tree.tar" .
        mv "$scratch/tree.tar" "$tarball"
        as_root rm -rf "$scratch/debootstrap"
    fi
    mkdir -p "$folder"
    as_root tar -C "$folder" -xpf "$tarball"
}

# The Debian packages a .deb depends on: the first of each list of alternatives, without versions.
dependencies_of() {
    dpkg-deb -f "$1" Depends | tr ',' '\n' | sed -E 's/\|.*//; s/\(.*\)//; s/[[:space:]]//g' | grep -v '^$' || true
}
