# Softphones and a push receiver, for trying things out.
FROM voicecall-controller
USER root
RUN /opt/voicecall/bin/pip install --quiet --no-cache-dir 'pjsua2-python==2.15.1.post1' \
 && mkdir -p /var/bench && chown voicecall:voicecall /var/bench
USER voicecall
HEALTHCHECK NONE
