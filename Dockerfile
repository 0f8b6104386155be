FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]

# The dependencies, in a layer that is built again only if a manifest, Cargo.lock or the flags of SQLite change.
COPY .cargo .cargo
COPY Cargo.toml Cargo.lock ./
COPY entity/Cargo.toml entity/
COPY migration/Cargo.toml migration/
RUN mkdir -p src entity/src migration/src \
    && echo 'fn main() {}' | tee src/main.rs > migration/src/main.rs \
    && touch src/lib.rs entity/src/lib.rs migration/src/lib.rs \
    && cargo build --release --locked --bin acclaim \
    && rm -r src entity/src migration/src

COPY entity entity
COPY migration migration
COPY src src
# Cargo compares modification times, and these files may be older than the build above.
RUN find src entity migration -name '*.rs' -exec touch {} + \
    && cargo build --release --locked --bin acclaim

# All files of the image: the program, the shared libraries that it names, and certificates for TLS to a
# database whose URL has sslrootcert=/etc/ssl/certs/ca-certificates.crt.
RUN mkdir -p /image/usr/local/bin /image/etc/ssl/certs /data \
    && cp target/release/acclaim /image/usr/local/bin/ \
    && ldd target/release/acclaim | grep -o '/[^ ]*' | xargs cp --dereference --parents -t /image \
    && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
    && echo 'acclaim:x:10001:10001::/data:/sbin/nologin' > /image/etc/passwd \
    && echo 'acclaim:x:10001:' > /image/etc/group

FROM scratch
LABEL org.opencontainers.image.title="Acclaim" \
    org.opencontainers.image.description="A self-hosted social posting service" \
    org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /image /
COPY --from=build --chown=10001:10001 /data /data
USER 10001:10001
WORKDIR /data
VOLUME /data
# Listens on all addresses of the container. The service then starts only with a secret.
ENV PATH=/usr/local/bin HOST=0.0.0.0 PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["acclaim", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["acclaim"]
CMD ["serve"]
