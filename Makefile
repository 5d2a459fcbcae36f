# edge-sr: `make demo` upscales a real clip, `make test` checks everything. Both set up .venv first.
PYTHON ?= python3
BIN := .venv/bin
PYTEST_PYTHON ?= $(BIN)/python
# in parallel; a test that hangs fails after twenty minutes, and the rest go on
PYTEST := -m pytest --timeout 1200 -n auto --dist worksteal

.PHONY: demo test test-slow lint types format again test-runtime test-aarch64 check-platforms soak corpus pycuda-double clean

demo: .venv/.cpu
	$(BIN)/python -m bench demo

# what takes a second or less each, in parallel; `make test-slow` runs the rest, CI runs both
test: lint types
	$(BIN)/python $(PYTEST) -m "not gpu and not slow"

test-slow: .venv/.dev
	$(BIN)/python $(PYTEST) -m "slow and not gpu"

# the tests that failed in the last run, one at a time; fails where none is known
again:
	$(PYTEST_PYTHON) -m pytest --timeout 1200 -v --last-failed --last-failed-no-failures none

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.dev build/stubs
	$(BIN)/mypy

# TensorRT's types: its own requirements are not on PyPI, so pip fetches them without
build/stubs: .venv/.dev tests/tools/tensorrt_stubs.py
	$(BIN)/python tests/tools/tensorrt_stubs.py

format: .venv/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# the runtime alone, as a device has it: no TensorFlow, no onnx, no web server. What needs more is
# skipped and listed at the end. make test-runtime PYTHON=python3.12
test-runtime:
	$(PYTHON) -m venv --clear build/venv-runtime
	build/venv-runtime/bin/pip install --quiet '.[cpu]' pytest pytest-timeout pytest-xdist
	rm -rf build/lib
	build/venv-runtime/bin/python $(PYTEST) tests/edge_sr -m "not gpu and not slow"

# the same on an emulated arm64 Debian 12 with Python 3.11 and the versions of the extra `jetson`; as root,
# with debootstrap and qemu-user-static: long, and without the tests that are marked slow
test-aarch64: .venv/.dev
	PYTHON="$(abspath $(BIN))/python" tests/tools/aarch64_root.sh build/aarch64

# damaged inputs, signals, full disks, little memory, thousands of frames: long
soak: .venv/.dev
	$(BIN)/python -m lab.soak mutate
	$(BIN)/python -m lab.soak signals
	$(BIN)/python -m lab.soak limits
	$(BIN)/python -m lab.soak frames

# pycuda against the CUDA double, where the tests then find it; done once
pycuda-double: .venv/.dev
	$(BIN)/python tests/tools/build_pycuda.py build/pycuda

# films of every container and codec that PyAV writes, copied and compared: 2 minutes; writes the
# table of docs/formats.md
corpus: .venv/.dev
	$(BIN)/python -m lab.soak.corpus --write docs/formats.md

# whether a Jetson finds wheels for all that the runtime needs; asks the package index
check-platforms: .venv/bin/python
	$(BIN)/python tests/tools/check_platforms.py

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Python is $$($(PYTHON) --version); 3.10 or later is needed: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.cpu: .venv/bin/python pyproject.toml
	$(BIN)/pip install --quiet --editable '.[cpu]'
	@touch $@

.venv/.dev: .venv/bin/python pyproject.toml
	$(BIN)/pip install --quiet --editable '.[cpu,convert,train,bench,vmaf,photos,dev]'
	@touch $@

clean:
	rm -rf .venv build dist demo *.egg-info
