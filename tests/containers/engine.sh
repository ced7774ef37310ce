# The container engine: podman, with its own storage and settings, so that nothing of the machine's is touched.
# shellcheck shell=bash disable=SC2154

packages=(podman runc netavark aardvark-dns iptables buildah debootstrap curl)

install_engine() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "--install needs to be root on Debian or Ubuntu; install yourself: ${packages[*]}"
        exit 1
    fi
    local missing=()
    for package in "${packages[@]}"; do
        dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
    done
    if [ ${#missing[@]} -eq 0 ]; then return; fi
    say "installing ${missing[*]}"
    apt-get update --quiet >"$work/apt.log" 2>&1
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends "${missing[@]}" \
        >>"$work/apt.log" 2>&1 || { tail -20 "$work/apt.log" >&2; exit 1; }
}

need_engine() {
    local missing=() program
    [ "$(id -u)" = 0 ] || missing+=("to be root")
    for program in podman runc iptables debootstrap curl; do
        command -v "$program" >/dev/null || missing+=("$program")
    done
    [ -x /usr/lib/podman/netavark ] || [ -x /usr/libexec/podman/netavark ] || missing+=(netavark)
    [ -x /usr/lib/podman/aardvark-dns ] || [ -x /usr/libexec/podman/aardvark-dns ] || missing+=(aardvark-dns)
    [ -x .venv/bin/python ] || missing+=("the development environment: ./dev check makes it")
    if [ ${#missing[@]} -gt 0 ]; then
        say "not run, missing: $(printf '%s, ' "${missing[@]}" | sed 's/, $//') (--install gets what is Debian's: ${packages[*]})"
        exit 3
    fi
}

# runc, because crun refuses machines with cgroups of both versions; limits that every machine grants. The name server of
# Debian's podman loses questions while containers come and go: whoever asks is to ask again soon.
configure_engine() {
    mkdir -p "$cache"/{storage,networks,tmp}
    run_root=/run/cody-batch-containers
    cat >"$cache/containers.conf" <<TEXT
[containers]
default_ulimits = ["nofile=10000:10000", "nproc=10000:10000"]
dns_options = ["timeout:1", "attempts:5"]
[engine]
runtime = "runc"
tmp_dir = "$run_root/libpod"
[network]
network_backend = "netavark"
network_config_dir = "$cache/networks"
TEXT
    cat >"$cache/storage.conf" <<TEXT
[storage]
driver = "overlay"
graphroot = "$cache/storage"
runroot = "$run_root/storage"
TEXT
    export CONTAINERS_CONF=$cache/containers.conf CONTAINERS_STORAGE_CONF=$cache/storage.conf
    export BUILDAH_FORMAT=docker # the other format has no health checks
    export TMPDIR=$cache/tmp
    unset CONTAINER_HOST DOCKER_HOST
}

start_engine() {
    socket=$work/podman.sock
    podman system service --time=0 "unix://$socket" >"$work/engine.log" 2>&1 &
    engine_pid=$!
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        if curl --silent --fail --unix-socket "$socket" --output /dev/null http://localhost/_ping; then return; fi
        sleep 0.1
    done
    cat "$work/engine.log" >&2
    exit 1
}

stop_engine() {
    if [ -z "${engine_pid:-}" ]; then return; fi
    kill "$engine_pid" 2>/dev/null || true
    wait "$engine_pid" 2>/dev/null || true
}
