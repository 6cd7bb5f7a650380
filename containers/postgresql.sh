#!/bin/sh
# Makes the database the first time, then serves it. POSTGRES_PASSWORD is that of the role voicecall.
set -eu
data=/var/lib/database/data

if [ ! -s "$data/PG_VERSION" ]; then
    : "${POSTGRES_PASSWORD:?must be set}"
    umask 077
    printf '%s\n' "$POSTGRES_PASSWORD" > /tmp/password
    initdb --pgdata="$data" --username=voicecall --pwfile=/tmp/password --auth=scram-sha-256 --encoding=UTF8 \
        --locale=C.UTF-8 >/dev/null
    rm /tmp/password
    echo "host all all samenet scram-sha-256" >> "$data/pg_hba.conf"
    printf 'CREATE DATABASE voicecall;\n' | postgres --single -D "$data" postgres >/dev/null
fi
exec postgres -D "$data" -c listen_addresses='*' -c jit=off
