# Two images: `--target controller` is the controller, and the `voicecall` command; `--target bench` has softphones and a
# push receiver besides, for trying things out.
ARG BOOKWORM=debian:bookworm-slim

# No tool for making stays in the images, not even pip.
FROM ${BOOKWORM} AS made
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends python3-venv ca-certificates \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
WORKDIR /source
RUN python3 -m venv /opt/voicecall && /opt/voicecall/bin/pip install --quiet --no-cache-dir "pip==26.3"
# A layer of its own: changed code doesn't bring them anew.
COPY containers/requirements.txt ./
RUN /opt/voicecall/bin/pip install --quiet --no-cache-dir --no-deps -r requirements.txt
COPY pyproject.toml README.md ./
COPY asterisk_conf asterisk_conf
COPY dialplan dialplan
COPY sounds sounds
COPY testbed testbed
COPY controller controller
RUN /opt/voicecall/bin/python -m controller.console.libraries \
 && /opt/voicecall/bin/pip install --quiet --no-cache-dir --no-deps '.[speech,traces]' \
 && /opt/voicecall/bin/pip check \
 && /opt/voicecall/bin/voicecall speech fetch --into /opt/voicecall/speech-models

# Also without what of the packages nothing here uses: their tests, what makes and measures models, other ways to take Chinese
# apart, what compiles extensions, languages that the console doesn't speak.
FROM made AS bare
RUN /opt/voicecall/bin/pip uninstall --quiet --yes setuptools \
 && /opt/voicecall/bin/pip check \
 && /opt/voicecall/bin/pip uninstall --quiet --yes pip \
 && cd /opt/voicecall/lib/python3.11/site-packages \
 && find . -type d -name tests -prune -exec rm -r {} + \
 && rm -r onnxruntime/backend onnxruntime/datasets onnxruntime/quantization onnxruntime/tools onnxruntime/transformers \
        jieba/analyse jieba/lac_small jieba/posseg numpy/distutils numpy/f2py \
 && find babel/locale-data -name '*.dat' ! -name 'root.dat' ! -name 'en*.dat' ! -name 'zh*.dat' -delete

FROM ${BOOKWORM} AS controller
RUN groupadd --gid 10001 voicecall \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/voicecall --shell /usr/sbin/nologin voicecall \
 && apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends python3 ca-certificates \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
 && mkdir -p /var/lib/voicecall/prompts /var/lib/voicecall/speech /var/lib/voicecall/drafts \
        /var/spool/asterisk/recording /etc/asterisk /etc/voicecall \
 && chown -R voicecall:voicecall /var/lib/voicecall /var/spool/asterisk /etc/asterisk
COPY --from=bare /opt/voicecall /opt/voicecall
ENV PATH=/opt/voicecall/bin:$PATH PYTHONUNBUFFERED=1 VOICECALL_CONFIG=/etc/voicecall/voicecall.toml
USER voicecall
WORKDIR /var/lib/voicecall
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=6 \
    CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/readyz', timeout=2)"]
ENTRYPOINT ["voicecall"]
CMD ["serve"]

FROM made AS phones
RUN /opt/voicecall/bin/pip install --quiet --no-cache-dir --no-deps --target=/opt/phones 'pjsua2-python==2.15.1.post1'

FROM controller AS bench
USER root
COPY --from=phones /opt/phones /opt/voicecall/lib/python3.11/site-packages
RUN mkdir -p /var/bench && chown voicecall:voicecall /var/bench
COPY containers/phone-answers.py /usr/local/bin/
RUN chmod a+r /usr/local/bin/phone-answers.py
USER voicecall
# A phone and the receiver are looked after in other ways: the compose files say how.
HEALTHCHECK NONE
