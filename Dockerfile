FROM rust:1.95-slim-bookworm AS build
WORKDIR /build

# Builds the dependencies first. This layer is rebuilt only if a manifest changes.
COPY Cargo.toml Cargo.lock ./
COPY entity/Cargo.toml entity/
COPY migration/Cargo.toml migration/
RUN mkdir -p src entity/src migration/src tests/api \
    && echo 'fn main() {}' > src/main.rs \
    && cp src/main.rs migration/src/main.rs \
    && cp src/main.rs tests/api/main.rs \
    && touch src/lib.rs entity/src/lib.rs migration/src/lib.rs \
    && cargo build --release --locked --bin acclaim \
    && rm -rf src entity/src migration/src

COPY entity entity
COPY migration migration
COPY src src
# Cargo compares modification times, and these files may be older than the build above.
RUN find src entity migration -name '*.rs' -exec touch {} + \
    && cargo build --release --locked --bin acclaim

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --create-home --home-dir /data acclaim
COPY --from=build /build/target/release/acclaim /usr/local/bin/acclaim
USER 10001
WORKDIR /data
VOLUME /data
# Listens on all addresses of the container. The service then starts only if JWT_SECRET is set.
ENV HOST=0.0.0.0 PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/$PORT && printf 'GET /health/ready HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["acclaim"]
CMD ["serve"]
