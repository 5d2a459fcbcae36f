"""Whatever bytes a parser is given, it takes them or refuses them by an error of ours."""

from __future__ import annotations

import importlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_sr.errors import EdgeSRError
from edge_sr.files import parse_json, parse_ratio
from lab.soak import fuzz

pytest.importorskip("onnx", reason="pip install 'edge-sr[convert]'")
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
DEEP = b"[" * 100_000


@pytest.mark.parametrize("name", fuzz.TARGETS)
@QUICK
@given(data=st.binary(max_size=400), place=st.integers(0, 2000), cut=st.booleans())
def test_damaged_and_made_up_bytes(name: str, data: bytes, place: int, cut: bool) -> None:
    target = fuzz.TARGETS[name]
    fuzz.run_one(target, data)
    for seed in fuzz.seeds(name):
        at = place % (len(seed) + 1)
        fuzz.run_one(target, seed[:at] + (b"" if cut else data[:3] + seed[at + 1 :]))


@pytest.mark.parametrize("name", ["sidecar", "manifest", "ranges", "rows"])
@QUICK
@given(value=JSON, key=st.integers(0, 30))
def test_any_value_in_any_field(name: str, value: object, key: int) -> None:
    target = fuzz.TARGETS[name]
    fuzz.run_one(target, json.dumps(value).encode())
    for seed in fuzz.seeds(name):
        whole = json.loads(seed)
        names = list(whole) or ["schema"]
        whole[names[key % len(names)]] = value
        fuzz.run_one(target, json.dumps(whole).encode())


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_a_whole_input_is_taken(name: str) -> None:
    if name not in ("ranges", "rows"):  # whose seeds are beginnings only
        assert fuzz.run_one(fuzz.TARGETS[name], fuzz.seeds(name)[0])


@pytest.mark.parametrize("name", ["sidecar", "manifest", "ranges", "rows"])
def test_nesting_beyond_python_s_own_limit_is_refused(name: str) -> None:
    with pytest.raises(EdgeSRError):
        fuzz.TARGETS[name](DEEP)


@pytest.mark.parametrize("scale", ["1e999999999", "9" * 5000, "2/0", "17", "1/3", "-2", "", "nan"])
def test_a_scale_that_would_compute_for_hours_is_refused(scale: str) -> None:
    card = json.loads(fuzz.seeds("sidecar")[0])
    with pytest.raises(EdgeSRError, match="scale is"):
        fuzz.sidecar(json.dumps(card | {"scale": scale}).encode())


@pytest.mark.skipif(
    importlib.util.find_spec("edge_sr.media.codec.y4m") is None, reason="not here yet"
)
@pytest.mark.parametrize(
    "word", [b"F1e999999999", b"F1:0", b"F\xff", b"W\xff", b"X\xff\xfe", b"W1_6"]
)
def test_a_header_of_raw_video_that_is_none_is_refused(word: bytes) -> None:
    with pytest.raises(EdgeSRError, match="standard input"):
        fuzz.y4m(b"YUV4MPEG2 W16 H8 " + word + b"\nFRAME\n")


def test_ratios_and_json_are_read() -> None:
    assert [parse_ratio(text) for text in ("3/2", "3:2", "1.5", "0")] == [1.5, 1.5, 1.5, 0]
    assert parse_json(b'{"a": [1]}') == {"a": [1]}
    for text in ("1/0", "1e3", "1/2/3", "٣", " 1", "1.", ".5", "1234567890"):
        with pytest.raises(ValueError, match="expected a ratio"):
            parse_ratio(text)
