# edge-sr on any CPU:   docker build -f docker/cpu.Dockerfile -t edge-sr:cpu .
FROM debian:bookworm-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
COPY . /src
ENV PIP_CONSTRAINT=/src/constraints.txt
ARG EXTRAS=cpu,serve
RUN python3 -m venv /opt/edge-sr \
 && /opt/edge-sr/bin/pip install --no-cache-dir "/src[$EXTRAS]"

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --no-create-home --groups video edge-sr \
 && install -d -o edge-sr -g edge-sr /data /var/cache/edge-sr
COPY --from=build /opt/edge-sr /opt/edge-sr
ENV PATH=/opt/edge-sr/bin:/usr/bin:/bin XDG_CACHE_HOME=/var/cache PYTHONUNBUFFERED=1
USER 10001
WORKDIR /data
VOLUME ["/data", "/var/cache/edge-sr"]
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=180s \
  CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=4).close()"]
ENTRYPOINT ["edge-sr"]
CMD ["run", "test://640x360@30", "--serve", "0.0.0.0:8080"]
