"""The figures of a run for Prometheus; every name begins with ``edge_sr_``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edge_sr.pipeline.stats import Recent, Stats

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LABELS = ("model", "precision", "backend", "input", "output")
QUANTILES = (0.5, 0.9, 0.99)


def prometheus(
    facts: Mapping[str, object], stats: Stats, device: Mapping[str, object], clients: int
) -> bytes:
    """Metrics of this moment, in the Prometheus text format.

    Args:
        facts: of `RunControl.facts`.
        device: of `DeviceMeter.read`; what is not a number is left out.
        clients: browsers that watch.
    """
    from prometheus_client import generate_latest

    return generate_latest(_Figures(facts, stats, device, clients))


class _Figures:
    """A registry for one scrape: `collect` is all that is asked of it."""

    def __init__(
        self, facts: Mapping[str, object], stats: Stats, device: Mapping[str, object], clients: int
    ) -> None:
        self._facts, self._stats, self._device, self._clients = facts, stats, device, clients

    def collect(self) -> Iterator[Any]:
        """Metric families, each with its help and type."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        facts, stats = self._facts, self._stats
        reconnects, share = facts["reconnects"], stats.computed.mean
        for name, text, value in (
            ("frames_read", "Frames that came from the source.", stats.read),
            ("frames_written", "Frames handed to every sink.", stats.written),
            ("frames_dropped", "Frames replaced by newer ones.", stats.dropped),
            ("reconnects", "How often the source was opened again.", reconnects),
        ):
            count = float(value) if isinstance(value, (int, float)) else 0.0
            yield CounterMetricFamily(f"edge_sr_{name}", text, value=count)
        for name, text, value in (
            ("frames_per_second", "Rate of the last two seconds.", stats.current_fps),
            ("queue_frames", "Frames that wait between stages.", stats.depth),
            (
                "computed_share",
                "Of the last frames, what was computed: 0 to 1.",
                1.0 if share is None else share,
            ),
            ("page_clients", "Browsers that watch.", self._clients),
            ("source_up", "1 while frames come, 0 while not.", facts["state"] == "running"),
        ):
            yield GaugeMetricFamily(f"edge_sr_{name}", text, value=float(value))
        info = GaugeMetricFamily("edge_sr_info", "What runs; always 1.", labels=LABELS)
        info.add_metric([str(facts[name]).replace("\n", " ") for name in LABELS], 1)
        yield info
        yield _summary("inference_seconds", "Time of upscaling a frame.", stats.infer)
        text = "From capture until every sink has the frame."
        yield _summary("frame_age_seconds", text, stats.age)
        yield _summary("screen_age_seconds", "From capture to a browser's screen.", stats.screen)
        for key, value in self._device.items():
            if isinstance(value, (int, float)):
                yield GaugeMetricFamily(
                    f"edge_sr_device_{key}", "As the device reports it.", value=float(value)
                )


def _summary(name: str, text: str, values: Recent) -> Any:
    """Percentiles of the last frames, with the sum and the count of all."""
    from prometheus_client.core import SummaryMetricFamily

    full = f"edge_sr_{name}"
    family = SummaryMetricFamily(full, text, count_value=values.count, sum_value=values.total)
    for share in QUANTILES:
        found = values.percentile(share)
        if found is not None:
            family.add_sample(full, {"quantile": f"{share:g}"}, found)
    return family
