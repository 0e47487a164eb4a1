# Tidegate in a container; how to run it: docs/operate/container.md. The default user is a number, the root may be read-only, nothing needs a shell.
# `make test-image` runs these steps without Docker.

FROM rust:1-slim-bookworm AS rust

FROM python:3.13-slim-bookworm AS builder
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc libc6-dev libkrb5-dev
COPY --from=rust /usr/local/cargo /usr/local/cargo
COPY --from=rust /usr/local/rustup /usr/local/rustup
ENV PATH=/usr/local/cargo/bin:$PATH CARGO_HOME=/usr/local/cargo RUSTUP_HOME=/usr/local/rustup PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY requirements requirements
RUN python -m venv /opt/tidegate \
    && /opt/tidegate/bin/pip install --quiet --require-hashes -r requirements/kerberos-build.txt \
    && /opt/tidegate/bin/pip install --quiet --require-hashes --no-build-isolation -r requirements/kerberos.txt \
    && /opt/tidegate/bin/pip install --quiet --require-hashes -r requirements/kafka.txt \
    && python -m pip install --quiet --require-hashes -r requirements/build.txt -r requirements/sbom.txt
COPY . .
RUN maturin build --release --locked --out dist --interpreter /opt/tidegate/bin/python \
    && /opt/tidegate/bin/pip install --quiet --no-deps --no-index dist/*.whl \
    && /opt/tidegate/bin/pip uninstall --quiet --yes cython setuptools pip \
    && python requirements/write_sbom.py /opt/tidegate/share/tidegate.cdx.json --site /opt/tidegate/lib/python3*/site-packages \
    && /opt/tidegate/bin/tidegate --version

FROM python:3.13-slim-bookworm
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends libgssapi-krb5-2 && rm -rf /var/lib/apt/lists/*
COPY --from=builder /opt/tidegate /opt/tidegate
RUN install -d -o 65532 -g 65532 -m 0700 /var/lib/tidegate
# Without a configuration its built-in one keeps state in $XDG_STATE_HOME/tidegate
ENV PATH=/opt/tidegate/bin:$PATH XDG_STATE_HOME=/var/lib PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
LABEL org.opencontainers.image.title="Tidegate" org.opencontainers.image.licenses="Apache-2.0" tidegate.sbom="/opt/tidegate/share/tidegate.cdx.json"
USER 65532:65532
VOLUME /var/lib/tidegate
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["tidegate", "check", "--live"]
ENTRYPOINT ["tidegate"]
CMD ["run"]
