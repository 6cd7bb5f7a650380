# An Asterisk node. Its configuration comes from `voicecall node-files`, on a volume.
ARG FORKY=debian:forky-slim
FROM ${FORKY}
RUN groupadd --gid 10001 voicecall \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/asterisk --shell /usr/sbin/nologin voicecall \
 && apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        'asterisk=1:22.*' 'asterisk-modules=1:22.*' 'asterisk-core-sounds-en=1.6.*' \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /etc/asterisk/* \
 && dpkg --compare-versions "$(dpkg-query -f '${Version}' -W asterisk)" ge 1:22.10 \
 && mkdir -p /var/spool/asterisk/recording /var/lib/asterisk/keys /var/lib/asterisk/cache /run/asterisk /var/log/asterisk \
        /var/lib/voicecall/prompts /var/lib/voicecall/speech /var/lib/voicecall/drafts \
 && chown -R voicecall:voicecall /etc/asterisk /var/spool/asterisk /var/lib/asterisk /run/asterisk \
        /var/log/asterisk /var/lib/voicecall
# What its files are made from. It reads them at its start: when one of these is another, so is the image, and `up --build` makes
# Asterisk anew.
COPY asterisk_conf dialplan controller/asterisk/configuration.py controller/node_command.py /usr/share/voicecall/
USER voicecall
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s --retries=6 \
    CMD ["asterisk", "-rx", "core waitfullybooted"]
ENTRYPOINT ["asterisk", "-f", "-n", "-C", "/etc/asterisk/asterisk.conf"]
