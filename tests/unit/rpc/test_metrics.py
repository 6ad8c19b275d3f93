"""The page for Prometheus, read back by its own parser."""

from prometheus_client.parser import text_string_to_metric_families

from node.rpc.metrics import RouteCounters, render_metrics


def test_metrics_parse_and_have_the_prefix() -> None:
    counters = RouteCounters()
    counters.add("GET", "/v1/vehicles/{vin}", 200, 0.5)
    counters.add("GET", "/v1/vehicles/{vin}", 200, 0.25)
    counters.add("GET", "/v1/vehicles/{vin}", 404, 0.1)
    node = {"height": 7, "is_validator": True, "load": 0.5, "blocks_total": 3, 'votes_total{kind="prevote"}': 2}
    text = render_metrics(node, counters)
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert all(name.startswith("bmw_") for name, _ in samples)
    labels = (("method", "GET"), ("route", "/v1/vehicles/{vin}"), ("status", "200"))
    assert 2 == samples["bmw_rpc_requests_total", labels]
    assert 0.75 == samples["bmw_rpc_request_seconds_total", labels]
    assert 7 == samples["bmw_height", ()]
    assert 1 == samples["bmw_is_validator", ()]
    assert 2 == samples["bmw_votes_total", (("kind", "prevote"),)]
    kinds = {family.name: family.type for family in text_string_to_metric_families(text)}
    assert ("gauge", "counter") == (kinds["bmw_height"], kinds["bmw_blocks"])
