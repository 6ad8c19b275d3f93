"""The alarms that operators are woken by: one table of rules for the board, its runbook, and the document. Pure.

A rule's conditions are those that Prometheus evaluates: `expression` writes them in its language, and the table in the
document is made of it. Texts are in `texts/alarms.json`: `<code>` says what is wrong, `<code>_look` what to look at
first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, assert_never, get_args

from web.board.samples import RATE_SPAN_S, Past, increase

Severity = Literal["critical", "warning"]
"""`critical`: the chain or a node does not work, or will not soon. `warning`: somebody has to look today."""
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
Measure = Literal["value", "magnitude", "share", "rate", "increase"]
"""What is compared: the sample; its distance from 0; its share of another sample; how much a counter grows, in a
second or in all."""
Test = Literal["==", ">", "<"]


class Condition(NamedTuple):
    """A condition on a metric, which is named with its prefix and its labels. `over_s`: the seconds that `rate` and
    `increase` cover; `whole`: the metric that `share` divides by."""

    metric: str
    test: Test
    bound: float
    measure: Measure = "value"
    over_s: int = 0
    whole: str = ""

    @property
    def expression(self) -> str:
        """As Prometheus reads it."""
        return f"{self._measured()} {self.test} {self.bound:.12g}"

    def _measured(self) -> str:
        match self.measure:
            case "value":
                return self.metric
            case "magnitude":
                return f"abs({self.metric})"
            case "share":
                return f"{self.metric} / {self.whole}"
            case "rate" | "increase":
                return f"{self.measure}({self.metric}[{span_text(self.over_s)}])"
        assert_never(self.measure)

    def holds(self, observed: Observed, now_s: float) -> bool:
        """Whether it holds; never where the node does not tell the metric."""
        value = self._value(observed, now_s)
        if value is None:
            return False
        match self.test:
            case "==":
                return value == self.bound
            case ">":
                return value > self.bound
            case "<":
                return value < self.bound
        assert_never(self.test)

    def _value(self, observed: Observed, now_s: float) -> float | None:
        sample = observed.samples.get(self.metric)
        if sample is None:
            return None
        match self.measure:
            case "value":
                return sample
            case "magnitude":
                return abs(sample)
            case "share":
                whole = observed.samples.get(self.whole)
                return sample / whole if whole else None
            case "increase":
                return increase(observed.history, self.metric, self.over_s, now_s)[0]
            case "rate":
                grown, seconds = increase(observed.history, self.metric, self.over_s, now_s)
                return grown / seconds if seconds >= RATE_SPAN_S else None
        assert_never(self.measure)


class Rule(NamedTuple):
    """An alarm. `after_s`: how long all its conditions have to hold; `section`: the heading of OPERATING that helps."""

    code: str
    severity: Severity
    after_s: int
    conditions: tuple[Condition, ...]
    section: str = "Runbook"

    @property
    def expression(self) -> str:
        """As Prometheus reads it."""
        return " and ".join(condition.expression for condition in self.conditions)


UP: Final = "up"
"""1 where the node has answered, 0 where not: a metric that Prometheus makes itself, and the board, too."""
RULES: Final = (
    Rule("silent", "critical", 10, (Condition(UP, "==", 0),)),
    Rule("halted", "critical", 0, (Condition("bmw_is_halted", "==", 1),)),
    Rule("not_signing", "critical", 120,
         (Condition("bmw_is_validator", "==", 1), Condition("bmw_is_signing", "==", 0))),
    Rule("upgrade", "critical", 0, (Condition("bmw_upgrade_needed_before_height", ">", 0),), "Upgrading"),
    Rule("stalled", "critical", 60, (Condition("bmw_head_age_seconds", ">", 60),)),
    Rule("disk", "critical", 0, (Condition("bmw_disk_free_bytes", "<", 0.1, "share", whole="bmw_disk_bytes"),)),
    Rule("few_peers", "warning", 300, (Condition("bmw_peers", "<", 2),)),
    Rule("syncing", "warning", 600, (Condition("bmw_is_syncing", "==", 1),)),
    Rule("rounds", "warning", 600, (Condition("bmw_rounds_above_zero_total", ">", 0.05, "rate", 600),)),
    Rule("over_budget", "warning", 300, (Condition("bmw_p2p_over_budget_total", ">", 0, "rate", 300),)),
    Rule("refused", "warning", 300, (Condition("bmw_p2p_refused_total", ">", 1, "rate", 300),)),
    Rule("untimely", "warning", 300, (Condition("bmw_proposals_untimely_total", ">", 0, "rate", 300),)),
    Rule("clock", "warning", 300, (Condition("bmw_clock_offset_seconds", ">", 5, "magnitude"),)),
    Rule("pool", "warning", 300, (Condition("bmw_pool_txs", ">", 10_000),)),
    Rule("certificate", "warning", 0, (Condition("bmw_rpc_certificate_seconds_left", "<", 14 * 86_400),),
         "Opening the HTTP interface"),
    Rule("blocked", "warning", 300, (Condition('bmw_event_loop_blocked_seconds_max{clock="wall"}', ">", 1),)),
    Rule("verifiers", "warning", 0, (Condition("bmw_verifiers_replaced_total", ">", 0, "increase", 3_600),)),
)  # fmt: skip
COUNTERS: Final = frozenset(
    condition.metric for rule in RULES for condition in rule.conditions if condition.measure in ("rate", "increase")
)
"""Metrics whose past is kept."""
PAST_S: Final = max(condition.over_s for rule in RULES for condition in rule.conditions)


@dataclass(frozen=True, slots=True)
class Observed:
    """What is known of a node. `samples`: by metric, none but `up` where it is silent; `history`: of `COUNTERS`, the
    oldest first and the present last."""

    node: str
    samples: Mapping[str, float]
    history: Sequence[Past] = ()


Begun = Mapping[tuple[str, str], float]
"""Since when the conditions of a rule hold for a node, in seconds, by (code, node)."""


class Alarm(NamedTuple):
    """An alarm that is raised. `nodes`: those that it is about, that with which it began first."""

    rule: Rule
    nodes: tuple[str, ...]
    since_s: float


def judged(observed: Sequence[Observed], before: Begun, now_s: float) -> Begun:
    """What holds now, each since when it began."""
    return {
        (rule.code, each.node): min(before.get((rule.code, each.node), now_s), now_s)
        for rule in RULES
        for each in observed
        if all(condition.holds(each, now_s) for condition in rule.conditions)
    }


def alarms_of(begun: Begun, now_s: float) -> list[Alarm]:
    """What has held for long enough, one alarm for all nodes of a rule: the most severe first, then the oldest."""
    found = []
    for rule in RULES:
        since = sorted((at, node) for (code, node), at in begun.items()
                       if code == rule.code and now_s - at >= rule.after_s)  # fmt: skip
        if since:
            found.append(Alarm(rule, tuple(node for _, node in since), since[0][0]))
    return sorted(found, key=lambda alarm: (SEVERITIES.index(alarm.rule.severity), alarm.since_s))


def span_text(seconds: int) -> str:
    """A time as Prometheus writes it: `10s`, `5m`, `1h`."""
    for size, unit in ((3_600, "h"), (60, "m")):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
