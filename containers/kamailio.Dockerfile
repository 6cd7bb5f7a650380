# The SIP balancer of docker-compose.wide.yml: Kamailio of Debian's packages.
ARG BOOKWORM=debian:bookworm-slim
FROM ${BOOKWORM}
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends 'kamailio=5.6.*' \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /etc/kamailio/* \
 && groupadd --gid 10001 voicecall \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin voicecall
COPY containers/kamailio.cfg containers/dispatcher.list /etc/kamailio/
COPY containers/kamailio.sh /usr/local/bin/serve-sip
RUN chmod a+r /etc/kamailio/* /usr/local/bin/serve-sip
USER voicecall
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s --retries=6 \
    CMD ["kamcmd", "-s", "unixs:/run/kamailio/kamailio_ctl", "core.uptime"]
ENTRYPOINT ["sh", "/usr/local/bin/serve-sip"]
