# edge-sr on a Jetson with JetPack 6.2: Ubuntu 22.04, Python 3.10, CUDA 12.6, TensorRT 10.3.
#   docker build -f docker/jetpack62.Dockerfile -t edge-sr:jetpack62 .
#   docker run --runtime nvidia --device /dev/video0 -p 127.0.0.1:8080:8080 \
#     -v edge-sr:/var/cache/edge-sr edge-sr:jetpack62 run 0 --backend tensorrt --serve 0.0.0.0:8080
# A CSI camera (csi://0) needs -v /tmp/argus_socket:/tmp/argus_socket besides.
FROM ubuntu:22.04
ARG L4T=r36.4
ADD --chmod=644 https://repo.download.nvidia.com/jetson/jetson-ota-public.asc /etc/apt/keyrings/jetson.asc
# TensorRT and OpenCV (with GStreamer) are JetPack's own: wheels do not fit its CUDA
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && echo "deb [signed-by=/etc/apt/keyrings/jetson.asc] https://repo.download.nvidia.com/jetson/common $L4T main" \
      > /etc/apt/sources.list.d/jetson.list \
 && apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      python3 python3-venv 'python3-libnvinfer=10.3.*' libopencv-python \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --no-create-home --groups video edge-sr \
 && install -d -o edge-sr -g edge-sr /data /var/cache/edge-sr
COPY . /src
ARG EXTRAS=jetson,build,serve
RUN python3 -m venv --system-site-packages /opt/edge-sr \
 && /opt/edge-sr/bin/pip install --no-cache-dir "/src[$EXTRAS]" \
 && rm -rf /src
ENV PATH=/opt/edge-sr/bin:/usr/bin:/bin XDG_CACHE_HOME=/var/cache PYTHONUNBUFFERED=1 \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=all
USER 10001
WORKDIR /data
VOLUME ["/data", "/var/cache/edge-sr"]
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=1800s \
  CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=4).close()"]
ENTRYPOINT ["edge-sr"]
CMD ["run", "test://640x360@30", "--backend", "tensorrt", "--serve", "0.0.0.0:8080"]
