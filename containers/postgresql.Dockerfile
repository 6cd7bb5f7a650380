# The database of the bench, without its just-in-time compiler, which weighs 150 MB. Any PostgreSQL from 15 on serves as well: docs/how-to/postgresql.md.
ARG BOOKWORM=debian:bookworm-slim
FROM ${BOOKWORM}
RUN apt-get update -qq \
 && mkdir -p /etc/postgresql-common/createcluster.d \
 && echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.d/none.conf \
 && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends postgresql-15 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /usr/lib/postgresql/15/lib/llvmjit* /usr/lib/postgresql/15/lib/bitcode \
        /usr/lib/*-linux-gnu/libLLVM-* /usr/lib/*-linux-gnu/libz3.so* \
 && groupadd --gid 10001 voicecall \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/database --shell /usr/sbin/nologin voicecall \
 && mkdir -p /var/lib/database /run/postgresql \
 && chown voicecall:voicecall /var/lib/database /run/postgresql
COPY containers/postgresql.sh /usr/local/bin/serve-database
RUN chmod a+r /usr/local/bin/serve-database
ENV PATH=/usr/lib/postgresql/15/bin:$PATH
USER voicecall
# A fast shutdown: the default, SIGTERM, waits for controllers to close their connections, until it is killed.
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=6 \
    CMD ["sh", "-c", "PGPASSWORD=$POSTGRES_PASSWORD psql -qAtX -h 127.0.0.1 -U voicecall -c 'SELECT 1' >/dev/null"]
ENTRYPOINT ["sh", "/usr/local/bin/serve-database"]
