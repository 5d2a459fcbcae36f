#!/usr/bin/env bash
# Every change that Cosmic Ray makes of one file, judged by some tests; prints what survived.
#   pip install cosmic-ray
#   lab/soak/mutate.sh edge_sr/model/sidecar.py tests/edge_sr/model/test_sidecar.py
# The file is changed in a clone of the last commit: a run that is killed leaves its change behind.
set -euo pipefail
module=$1
shift
python=$(realpath -s "${PYTHON:-.venv/bin/python}")
PATH="$(dirname "$python"):$PATH"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
git clone --quiet . "$folder/clone"
cd "$folder/clone"
cat >mutate.toml <<T
[cosmic-ray]
module-path = "$module"
timeout = 60.0
excluded-modules = []
test-command = "$python -m pytest -x -q -p no:cacheprovider $*"
[cosmic-ray.distributor]
name = "local"
T
"$python" -m pytest -x -q -p no:cacheprovider "$@" # without any change they must pass
cosmic-ray init mutate.toml mutate.sqlite
cosmic-ray exec mutate.toml mutate.sqlite
cr-report --surviving-only --show-diff mutate.sqlite
