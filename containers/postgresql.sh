#!/bin/sh
# Makes the database the first time, then serves it. POSTGRES_PASSWORD is that of the role voicecall.
set -eu
data=/var/lib/database/data

if [ ! -s "$data/PG_VERSION" ]; then
    : "${POSTGRES_PASSWORD:?must be set}"
    umask 077
    # It is there when it is whole: what a start that was cut short left of it is not taken for it.
    rm -rf "$data.new"
    printf '%s\n' "$POSTGRES_PASSWORD" > /tmp/password
    initdb --pgdata="$data.new" --username=voicecall --pwfile=/tmp/password --auth=scram-sha-256 --encoding=UTF8 \
        --locale=C.UTF-8 >/dev/null
    rm /tmp/password
    echo "host all all samenet scram-sha-256" >> "$data.new/pg_hba.conf"
    printf 'CREATE DATABASE voicecall;\n' | postgres --single -D "$data.new" postgres >/dev/null
    sync
    mv -T "$data.new" "$data"
fi
exec postgres -D "$data" -c listen_addresses='*' -c jit=off
