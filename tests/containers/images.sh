# A base image from Debian's packages, the images of the services, and the jars of the servers.
# shellcheck shell=bash disable=SC2154

images=(api dispatcher worker cli stand-ins servers)

build_images() {
    local start=$SECONDS
    write_pip_conf
    [ -z "$fresh" ] || podman image rm --force localhost/cody-batch-base:debian >/dev/null 2>&1 || true
    podman image exists localhost/cody-batch-base:debian || build_base
    for image in "${images[@]}"; do build_image "$image"; done
    rm -f "$work/pip.conf"
    podman image prune --force --filter until=168h >/dev/null
    took "images are built: $(sizes)" $start
}

# The mirror and its release are this machine's own.
build_base() {
    local codename mirror root=$work/root start=$SECONDS
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    mirror=$(apt-cache policy | awk -v release="$codename/main" '$3 == release { print $2; exit }')
    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates "$codename" "$root" "$mirror" \
        >"$work/debootstrap.log" 2>&1 || { tail -20 "$work/debootstrap.log" >&2; exit 1; }
    chroot "$root" apt-get clean
    rm -rf "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/usr/share/{doc,man,info,locale}/*
    tar --directory "$root" --create . |
        podman import --quiet --change 'CMD ["/bin/bash"]' - localhost/cody-batch-base:debian >/dev/null
    rm -rf "$root"
    took "a base image of $codename is built" $start
}

build_image() {
    local file=services/$1/Dockerfile log=$work/build-$1.log start=$SECONDS
    [ -f "$file" ] || file=$here/${1//-/_}/Dockerfile
    local arguments=(--layers --quiet --file "$file" --tag "localhost/cody-batch-$1:dev"
        --build-arg BASE=localhost/cody-batch-base:debian --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)"
        --secret "id=pip_conf,src=$work/pip.conf")
    [ -z "${certificates:-}" ] || arguments+=(--secret "id=ca_certificates,src=$certificates")
    podman build "${arguments[@]}" . >"$log" 2>&1 || { tail -30 "$log" >&2; exit 1; }
    took "built $1" $start
}

# What pip is told on this machine (index, proxy, certificates) is lent to the builds as a secret.
write_pip_conf() {
    certificates=$(python3 -m pip config get global.cert 2>/dev/null || echo "${PIP_CERT:-}")
    [ -f "$certificates" ] || certificates=/etc/ssl/certs/ca-certificates.crt
    [ -f "$certificates" ] || certificates=''
    (umask 077 && python3 $here/pip_conf.py "${certificates:+/run/secrets/ca_certificates}" >"$work/pip.conf")
}

sizes() {
    podman image ls --format '{{.Repository}} {{.Size}}' --filter dangling=false |
        sed -n 's#^localhost/cody-batch-#\ #p' | sort | tr '\n' ',' | sed 's/,$//'
}

# The same jars as those of the other tests.
fetch_jars() {
    local start=$SECONDS
    { read -r dynamodb_jars && read -r elasticmq_jars; } < <(.venv/bin/python -m tests.containers.jars folders)
    took "DynamoDB Local and ElasticMQ are there" $start
}
