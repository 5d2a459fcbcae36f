#!/usr/bin/env bash
# The runtime's tests on an emulated arm64 Debian 12: tests/tools/aarch64_root.sh FOLDER [TEST...]
# As root on Debian or Ubuntu, with debootstrap and qemu-user-static. Slow: every instruction is
# translated.
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: $0 FOLDER [TEST...]; expected an empty or made folder" >&2; exit 2; }
mkdir -p "$1"
root=$(cd "$1" && pwd)
shift
here=$(cd "$(dirname "$0")/../.." && pwd)
[ -e /proc/sys/fs/binfmt_misc/status ] || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
if [ ! -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ]; then
  magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
  mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
  printf ':qemu-aarch64:M::%s:%s:%s:OCF' "$magic" "$mask" /usr/bin/qemu-aarch64-static \
    >/proc/sys/fs/binfmt_misc/register
fi
if [ ! -e "$root/root/made" ]; then
  debootstrap --arch=arm64 --variant=minbase --include=python3 bookworm "$root"
  touch "$root/root/made"
fi
if [ ! -e "$root/root/site/onnxruntime" ]; then # resolved here: pip is slow in there
  platforms=()
  for glibc in 36 34 28 27 26 24 17; do platforms+=(--platform "manylinux_2_${glibc}_aarch64"); done
  python3 -m pip install --quiet --target "$root/root/site" --python-version 3.11 \
    --only-binary :all: "${platforms[@]}" numpy onnxruntime opencv-python-headless \
    'av>=15,<19' 'pillow>=11.3' tqdm psutil starlette uvicorn nvidia-ml-py httpx pytest hypothesis
fi
rm -rf "$root/root/repo"
mkdir -p "$root/root/repo/tests"
cp -r "$here/edge_sr" "$here/docs" "$here/pyproject.toml" "$root/root/repo/"
cp -r "$here/tests/edge_sr" "$here/tests/fakes" "$root/root/repo/tests/"
# no /sys: ONNX Runtime reads an ARM's processors from it and crashes on those of this machine
mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
mountpoint -q "$root/dev/pts" || mount -t devpts -o ptmxmode=666 devpts "$root/dev/pts"
trap 'umount "$root/dev/pts" "$root/proc"' EXIT
[ $# -gt 0 ] || set -- tests/edge_sr
env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 \
  PYTHONPATH=/root/repo:/root/site chroot "$root" /bin/sh -c \
  'cd /root/repo && exec python3 -m pytest -p no:cacheprovider -m "not gpu" "$@"' sh "$@"
