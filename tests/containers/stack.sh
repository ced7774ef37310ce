# The stack: compose.yaml with the override file, and the tests against it.
# shellcheck shell=bash disable=SC2154

podman_compose=1.6.0

compose() {
    "$cache/podman-compose-$podman_compose/bin/podman-compose" --env-file "$work/stack.env" --profile offline \
        --file compose.yaml --file $here/compose.yaml ${STACK_OVERRIDE:+--file "$STACK_OVERRIDE"} "$@"
}

start_stack() {
    local start=$SECONDS
    install_compose
    mkdir -p "$work/repositories"
    chmod 755 "$work" "$work/repositories"
    api_port=$(free_port) jaeger_port=$(free_port)
    cat >"$work/stack.env" <<TEXT
REPOSITORIES_ROOT=$work/repositories
DYNAMODB_JARS=$dynamodb_jars
ELASTICMQ_JARS=$elasticmq_jars
CONTAINER_SOCKET=$socket
CLAUDE_BASE_URL=http://claude:8081
CLAUDE_API_KEY=stand-in-key
POSTGRES_PASSWORD=development
API_AUTH=none
ALLOWED_REPOSITORIES=*/*
LEASE_SECONDS=6
REPOSITORIES_PER_WORKER=2
RECONCILE_SECONDS=1
PUBLISHED_API_PORT=$api_port
PUBLISHED_JAEGER_PORT=$jaeger_port
TEXT
    # In this order, and not left to depends_on: podman 4.3 does not know health, and does not start a container one of
    # whose dependencies has ended, as the bootstrap does.
    start_services postgres dynamodb elasticmq moto jaeger claude
    start_services worker bootstrap
    end_well worker
    end_well bootstrap
    start_services api dispatcher
    took "the stack is up" $start
}

start_services() {
    compose up --detach --no-build --no-deps "$@" >>"$work/compose.log" 2>&1 || { tail -30 "$work/compose.log" >&2; exit 1; }
}

end_well() {
    if [ "$(podman wait "cody-batch_$1_1")" = 0 ]; then return; fi
    say "$1 failed:"
    podman logs "cody-batch_$1_1" >&2
    exit 1
}

install_compose() {
    local venv=$cache/podman-compose-$podman_compose
    if [ -x "$venv/bin/podman-compose" ]; then return; fi
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "podman-compose==$podman_compose"
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

run_tests() {
    local start=$SECONDS
    export STACK_IN_CONTAINERS=$work
    in_background .venv/bin/python -m pytest $here "$@"
    took "the tests have passed" $start
}

stop_stack() {
    if [ ! -f "$work/stack.env" ]; then return; fi
    # Workers were started by moto, and belong to no compose file.
    podman ps --all --quiet | xargs --no-run-if-empty podman rm --force --time 0 >/dev/null 2>&1 || true
    podman network rm --force cody-batch >/dev/null 2>&1 || true
    podman volume rm --all --force >/dev/null 2>&1 || true
}

summary() {
    local versions
    versions=$(.venv/bin/python -m tests.containers.jars versions)
    echo "api, dispatcher, bootstrap and workers in containers of their own, on PostgreSQL 18, $versions," \
        "moto $(sed -n 's/^moto==\([^ ]*\).*/\1/p' requirements/development.txt) and an OTLP receiver, from packages"
}
