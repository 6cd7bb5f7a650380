# The HTTP balancer of docker-compose.wide.yml: HAProxy of Debian's packages.
ARG BOOKWORM=debian:bookworm-slim
FROM ${BOOKWORM}
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends 'haproxy=2.6.*' \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
 && groupadd --gid 10001 voicecall \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin voicecall
COPY containers/haproxy.cfg /etc/haproxy/haproxy.cfg
RUN chmod a+r /etc/haproxy/haproxy.cfg
USER voicecall
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s --retries=6 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8404; printf 'GET /health HTTP/1.0\r\n\r\n' >&3; head -1 <&3 | grep -q ' 200 '"]
ENTRYPOINT ["haproxy", "-W", "-db", "-f", "/etc/haproxy/haproxy.cfg"]
