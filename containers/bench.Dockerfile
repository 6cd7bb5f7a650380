# Softphones and a push receiver, for trying things out.
FROM voicecall-controller
USER root
RUN /opt/voicecall/bin/pip install --quiet --no-cache-dir 'pjsua2-python==2.15.1.post1' \
 && mkdir -p /var/bench && chown voicecall:voicecall /var/bench
COPY containers/phone-answers.py /usr/local/bin/
USER voicecall
# A phone and the receiver are looked after in other ways: the compose files say how.
HEALTHCHECK NONE
