"""The page for Prometheus, read back strictly."""

import re

from support.prometheus import prometheus

from node.rpc.metrics import METRICS, RouteCounters, kind_of, render_metrics


def test_every_metric_has_prefix_help_and_type() -> None:
    counters = RouteCounters()
    counters.add("GET", "/v1/vehicles/{vin}", 200, 0.5)
    counters.add("GET", "/v1/vehicles/{vin}", 200, 0.25)
    counters.add("GET", "/v1/vehicles/{vin}", 404, 0.1)
    node = {"height": 7, "is_validator": True, "head_age_seconds": 0.5, "blocks_committed_total": 3}
    memory = {'memory_bytes{kind="mapped"}': 2, "peers": 1, 'memory_bytes{kind="leveldb"}': 4}
    text = render_metrics(node | memory, counters)
    samples = prometheus(text)

    assert all(name.startswith("bmw_") for name, _ in samples)
    labels = 'method="GET",route="/v1/vehicles/{vin}",status="200"'
    assert (2, 0.75) == (samples["bmw_rpc_requests_total", labels], samples["bmw_rpc_request_seconds_total", labels])
    assert (7, 1, 0.5) == tuple(samples[f"bmw_{name}", ""] for name in ("height", "is_validator", "head_age_seconds"))
    assert (2, 4) == tuple(samples["bmw_memory_bytes", f'kind="{kind}"'] for kind in ("mapped", "leveldb"))
    assert f"# HELP bmw_height {METRICS['height']}\n# TYPE bmw_height gauge\nbmw_height 7\n" in text
    assert "# TYPE bmw_blocks_committed_total counter\n" in text


def test_what_only_grows_is_a_counter_and_every_metric_is_explained() -> None:
    """Prometheus takes the rate of a counter alone, and a counter's name ends in `_total`."""
    done = "replaced|committed|submitted|refused|evicted|decoded|verified|judged|executed"
    grows = re.compile(rf"{done}|bytes_(in|out)|messages|requests|rounds_above")
    for name, text in METRICS.items():
        assert text, name
        assert bool(grows.search(name)) <= name.endswith("_total") == ("counter" == kind_of(name)), name
