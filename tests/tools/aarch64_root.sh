#!/usr/bin/env bash
# The runtime's tests on an emulated arm64 Debian 12 with Python 3.11, and with the versions that
# the extras `jetson` and `build` allow: tests/tools/aarch64_root.sh FOLDER [PYTEST-ARGUMENT...]
# As root on Debian or Ubuntu, with debootstrap and qemu-user-static; `make test-aarch64` runs it.
# Slow: every instruction is translated. FOLDER is kept and used again. Without arguments it runs all of
# tests/edge_sr but the tests that are marked slow; `-m slow tests/edge_sr` runs those.
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: $0 FOLDER [ARGUMENT...]; expected an empty or made folder" >&2; exit 2; }
for command in debootstrap qemu-aarch64-static; do
  command -v "$command" >/dev/null || {
    echo "$command is missing: apt-get install debootstrap qemu-user-static" >&2
    exit 1
  }
done
[ "$(id -u)" -eq 0 ] || { echo "found user $(id -un), expected root: it makes a chroot" >&2; exit 1; }
mkdir -p "$1"
root=$(cd "$1" && pwd)
shift
here=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-python3}
[ -e /proc/sys/fs/binfmt_misc/status ] || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
if [ ! -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ]; then
  magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
  mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
  printf ':qemu-aarch64:M::%s:%s:%s:OCF' "$magic" "$mask" "$(command -v qemu-aarch64-static)" \
    >/proc/sys/fs/binfmt_misc/register
fi
if [ ! -e "$root/root/made" ]; then # gcc: for the doubles of the CUDA driver and of a camera
  debootstrap --foreign --arch=arm64 --variant=minbase --include=python3,gcc,libc6-dev bookworm "$root"
  # unpacked here, not configured: both are slow in there, and the tests need neither
  for package in "$root"/var/cache/apt/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar --extract --keep-directory-symlink --directory "$root"
  done
  [ ! -L "$root/proc" ] || rm "$root/proc" # debootstrap's, to that of this machine
  mkdir -p "$root/proc"
  for file in passwd group; do cp "$root/usr/share/base-passwd/$file.master" "$root/etc/$file"; done
  touch "$root/root/made"
fi
# what the extras say, resolved here: pip is slow in there. OpenCV is JetPack's on a Jetson
mapfile -t packages < <(cd "$here/tests/tools" && "$python" -c \
  'import check_platforms; print(*check_platforms.requirements(("jetson", "build", "serve")), sep="\n")')
packages+=(opencv-python-headless httpx hypothesis pytest pytest-timeout pytest-xdist)
site=$root/usr/local/lib/python3.11/dist-packages
if [ "$(cat "$root/root/packages" 2>/dev/null)" != "${packages[*]}" ]; then
  platforms=()
  for glibc in 36 34 31 28 27 26 24 17; do platforms+=(--platform "manylinux_2_${glibc}_aarch64"); done
  rm -rf "$site"
  "$python" -m pip install --quiet --disable-pip-version-check --target "$site" \
    --python-version 3.11 --only-binary :all: "${platforms[@]}" "${packages[@]}"
  echo "${packages[*]}" >"$root/root/packages"
fi
rm -rf "$root/root/repo"
mkdir -p "$root/root/repo"
git -C "$here" ls-files -z --cached | (cd "$here" && tar --create --null --files-from -) |
  tar --extract --directory "$root/root/repo"
# from that copy: setuptools reads every folder of a checkout, and the made root may be in this one
"$python" -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target "$site" \
  "$root/root/repo"
rm -rf "$root/root/repo/build" "$root/root/repo/edge_sr.egg-info"
# no /sys: ONNX Runtime reads an ARM's processors from it and crashes on those of this machine
trap 'umount -q "$root/dev/shm" "$root/dev/pts" "$root/proc" || true' EXIT
mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
mountpoint -q "$root/dev/pts" || mount -t devpts -o ptmxmode=666 devpts "$root/dev/pts"
mkdir -p "$root/dev/shm"
mountpoint -q "$root/dev/shm" || mount -t tmpfs tmpfs "$root/dev/shm"
[ $# -gt 0 ] || set -- tests/edge_sr -n 2 --dist worksteal -m "not gpu and not slow"
env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 \
  TEST_HANG_S=1800 TEST_SEEDS=2 PYTHONPATH=/root/repo chroot "$root" /bin/sh -c \
  'cd /root/repo && exec python3 -m pytest -p no:cacheprovider "$@"' sh "$@"
