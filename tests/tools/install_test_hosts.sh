#!/usr/bin/env bash
# What some tests talk to, from Debian's or Ubuntu's packages: a browser, an RTSP server, players, tmux, an
# OpenCV with GStreamer, Prometheus, systemd's checker of units, FFmpeg's commands and shells.
# Without it these tests are skipped, and say so. Does nothing where all of it is here.
set -uo pipefail
packages=(chromium python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base
  gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-tools
  python3-opencv tmux prometheus systemd mpv ffmpeg zsh fish tcsh)
missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) || state=""
  [[ $state == ii* ]] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
skipped="tests that need ${missing[*]} will be skipped"
if ! command -v apt-get >/dev/null; then
  echo "no apt-get here: $skipped"
  exit 0
fi
root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! sudo -n true 2>/dev/null; then
    echo "neither root nor sudo without a password: $skipped; run $0 yourself"
    exit 0
  fi
  root=(sudo -n)
fi
log=$(mktemp)
if "${root[@]}" apt-get update -qq >"$log" 2>&1 &&
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
    "${missing[@]}" >>"$log" 2>&1; then
  echo "installed ${missing[*]}"
else
  echo "apt-get cannot install them: $skipped; the end of its output:"
  tail -n 3 "$log"
fi
rm -f "$log"
