"""The figures of an audit report, gathered from executed blocks and the state after the last.

All are integers, texts and lists of them, so that their canonical JSON (RFC 8785) is the same in any language. Shares
are per mille. The same chain gives the same figures, whatever it was read from.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any, Final

from node.audit.executor import Executed
from node.audit.tables.model import COMMITS, MISSED_PROPOSALS, RECORDS, TRANSACTIONS, VOTES, added_rows
from node.crypto.addresses import to_text
from node.ledger.family import AsOf
from node.ledger.json_form import time_to_text
from node.storage.chain_store import ChainStore
from node.txtypes.disputes.dispute import RECORD_DISPUTE
from node.txtypes.members.conduct import CONDUCT
from node.txtypes.members.member import MEMBER
from node.txtypes.rulesets import RULESETS
from node.txtypes.vehicle.vehicle import VEHICLE, existence_now, verdict_now

FORM: Final = "bmw-audit-report/1"
PERIODS: Final = 48
"""Equal parts of the chain, by height, for what is plotted over it."""
BINS_MAX: Final = 40
"""Days, weeks or months of the records' plot: the finest of the three that needs no more."""
AUTHORS_MAX: Final = 12
"""Authors that are named, those with the most records or disputes."""
_COUNTED: Final = frozenset((COMMITS, VOTES, MISSED_PROPOSALS, TRANSACTIONS, RECORDS))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def per_mille(part: int, whole: int) -> int:
    """Rounded; 0 of nothing."""
    return (2_000 * part + whole) // (2 * whole) if whole else 0


class _Period:
    """Blocks `first` to `last`: their intervals, transactions, rounds and votes."""

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last = first, last
        self.first_time_ms = 0
        self.intervals = array("q")
        self.transactions = self.late = 0
        self.power_signed = self.power = 0
        self.votes: Counter[str] = Counter()
        self.signed: Counter[str] = Counter()


class Figures:
    """Blocks are added in order; `report` is asked once, at the end."""

    def __init__(self, first: int, last: int) -> None:
        """Of blocks `first` to `last`."""
        count = last - first + 1
        periods = min(PERIODS, count)
        bounds = [first + count * i // periods for i in range(periods + 1)] if periods else []
        self._first, self._last = first, last
        self._periods = [_Period(low, high - 1) for low, high in zip(bounds, bounds[1:], strict=False)]
        self._first_ms = self._last_ms = 0
        self._bytes = self._evidence = 0
        self._types: Counter[str] = Counter()
        self._records: Counter[str] = Counter()
        self._record_days: Counter[tuple[int, str]] = Counter()
        self._authors: Counter[str] = Counter()
        self._rounds: Counter[int] = Counter()
        self._proposed: Counter[str] = Counter()
        self._missed: Counter[str] = Counter()

    def _period(self, height: int) -> _Period:
        index = (height - self._first) * len(self._periods) // (self._last - self._first + 1)
        found = self._periods[index]
        return found if height <= found.last else self._periods[index + 1]

    def add(self, executed: Executed) -> None:
        header, period = executed.committed.block.header, self._period(executed.result.height)
        if self._last_ms:
            period.intervals.append(header.time_ms - self._last_ms)
        self._first_ms, self._last_ms = self._first_ms or header.time_ms, header.time_ms
        period.first_time_ms = period.first_time_ms or header.time_ms
        period.transactions += len(executed.result.transactions)
        self._bytes += sum(map(len, executed.committed.block.transactions))
        self._evidence += len(executed.committed.block.evidence)
        self._proposed[to_text(header.proposer)] += 1
        for table, row in added_rows(executed):
            if table not in _COUNTED:
                continue
            cells: dict[str, Any] = dict(zip((column.name for column in table.columns), row, strict=True))
            if table is TRANSACTIONS:
                self._types[cells["type"]] += 1
            elif table is RECORDS:
                self._records[cells["type"]] += 1
                self._record_days[header.time_ms // 86_400_000, cells["type"]] += 1
                self._authors[cells["author"]] += 1
            elif cells["height"] >= self._first:
                self._add_certificate(table.name, cells)

    def _add_certificate(self, table: str, cells: dict[str, Any]) -> None:
        period = self._period(cells["height"])
        if table == COMMITS.name:
            self._rounds[cells["round"]] += 1
            period.late += cells["round"] > 0
            period.power_signed += cells["power_signed"]
            period.power += cells["power"]
        elif table == VOTES.name:
            period.votes[cells["validator"]] += 1
            period.signed[cells["validator"]] += cells["has_signed"]
        else:
            self._missed[cells["validator"]] += 1

    # --- the report -----------------------------------------------------------------------------------------
    def report(self, store: ChainStore) -> dict[str, Any]:
        """The whole, where `store` has the state after the last block."""
        head = store.head()
        names = {to_text(bytes.fromhex(ident)): member.name for ident, member in store.values(MEMBER)}
        return {
            "form": FORM,
            "chain": {
                "chain_id": store.genesis.chain_id,
                "genesis_hash": store.genesis_hash.hex(),
                "first_height": self._first,
                "height": head.height,
                "block_id": head.block_id.hex(),
                "state_root": head.state_root.hex(),
                "first_time": time_to_text(self._first_ms),
                "time": time_to_text(head.time_ms),
            },
            "blocks": self._blocks(),
            "transactions": {"count": self._types.total(), "types": _ranked(self._types)},
            "records": self._record_figures(),
            "vehicles": self._vehicles(store),
            "disputes": self._disputes(store, names),
            "conduct": self._conduct(store, names),
            "validators": self._validators(store, names),
            "concentration": self._concentration(store, names),
        }

    def _blocks(self) -> dict[str, Any]:
        intervals = sorted(interval for period in self._periods for interval in period.intervals)
        return {
            "count": self._last - self._first + 1,
            "bytes": self._bytes,
            "evidence": self._evidence,
            "interval_ms": _percentiles(intervals),
            "rounds": [{"round": number, "blocks": count} for number, count in sorted(self._rounds.items())],
            "periods": [
                {
                    "first_height": period.first,
                    "last_height": period.last,
                    "time": time_to_text(period.first_time_ms),
                    "interval_ms": _percentiles(sorted(period.intervals)),
                    "transactions": period.transactions,
                    "late": period.late,
                    "power_signed_per_mille": per_mille(period.power_signed, period.power) if period.power else None,
                }
                for period in self._periods
            ],
        }

    def _record_figures(self) -> dict[str, Any]:
        unit, bins = _binned(self._record_days)
        return {"count": self._records.total(), "types": _ranked(self._records), "unit": unit, "bins": bins}

    @staticmethod
    def _vehicles(store: ChainStore) -> dict[str, Any]:
        head = store.head()
        rules = RULESETS[head.params.ruleset_at(head.height)]
        as_of = AsOf(head.time_ms, rules)
        reader, existence, verdicts = _StateOf(store), Counter[str](), Counter[str]()
        count = with_recall = 0
        for vin, vehicle in store.values(VEHICLE):
            count += 1
            existence[existence_now(vehicle, as_of.now_ms)] += 1
            verdicts[verdict_now(reader, vin, vehicle, rules)] += 1
            with_recall += bool(vehicle.recalls)
        return {
            "count": count,
            "existence": _ranked(existence),
            "verdicts": _ranked(verdicts),
            "with_open_recall": with_recall,
        }

    @staticmethod
    def _disputes(store: ChainStore, names: dict[str, str]) -> dict[str, Any]:
        outcomes, grounds, by_author = Counter[str](), Counter[str](), dict[str, Counter[str]]()
        for _, dispute in store.values(RECORD_DISPUTE):
            outcome = dispute.outcome or "open"
            outcomes[outcome] += 1
            grounds[dispute.ground] += 1
            by_author.setdefault(to_text(dispute.author), Counter())[outcome] += 1
        ranked = sorted(by_author.items(), key=lambda entry: (-entry[1].total(), entry[0]))[:AUTHORS_MAX]
        authors = [
            {"address": address, "name": names.get(address, ""), "outcomes": _ranked(counts)}
            for address, counts in ranked
        ]
        return {
            "count": outcomes.total(),
            "outcomes": _ranked(outcomes),
            "grounds": _ranked(grounds),
            "authors": authors,
            "authors_in_all": len(by_author),
        }

    @staticmethod
    def _conduct(store: ChainStore, names: dict[str, str]) -> list[dict[str, Any]]:
        """Accounts with anything counted against them, the most first."""
        now_ms, found = store.head().time_ms, []
        for ident, conduct in store.values(CONDUCT):
            address = to_text(bytes.fromhex(ident))
            counts = {
                name: sum(getattr(quarter, name) for quarter in conduct.quarters)
                for name in ("annulled", "unanswered", "dismissed", "defaulted")
            }
            ends = {"hold_until": conduct.hold_until_ms, "barred_until": conduct.barred_until_ms}
            running = {name: time_to_text(end) if end > now_ms else "" for name, end in ends.items()}
            if any(counts.values()) or any(running.values()) or conduct.refunds_overdue:
                entry = {"address": address, "name": names.get(address, "")}
                found.append(entry | counts | running | {"refunds_overdue": conduct.refunds_overdue})
        return sorted(found, key=lambda entry: (-sum(entry[n] for n in counts_of(entry)), entry["address"]))

    def _validators(self, store: ChainStore, names: dict[str, str]) -> list[dict[str, Any]]:
        """Everybody who was in the set of a certificate, or is in the set in force, by name."""
        powers = {to_text(entry.address): entry.power for entry in store.head().validators.entries}
        seen = set(powers).union(*(period.votes for period in self._periods))
        found = []
        for address in sorted(seen, key=lambda address: (names.get(address, ""), address)):
            blocks = sum(period.votes[address] for period in self._periods)
            signed = sum(period.signed[address] for period in self._periods)
            found.append(
                {
                    "address": address,
                    "name": names.get(address, ""),
                    "power": powers.get(address, 0),
                    "blocks": blocks,
                    "signed": signed,
                    "uptime_per_mille": per_mille(signed, blocks) if blocks else None,
                    "proposed": self._proposed[address],
                    "missed_proposals": self._missed[address],
                    "periods": [
                        per_mille(period.signed[address], period.votes[address]) if period.votes[address] else None
                        for period in self._periods
                    ],
                }
            )
        return found

    def _concentration(self, store: ChainStore, names: dict[str, str]) -> dict[str, Any]:
        groups = {to_text(bytes.fromhex(ident)): member.group for ident, member in store.values(MEMBER)}
        powers = {to_text(entry.address): entry.power for entry in store.head().validators.entries}
        by_group = Counter[str]()
        for address, power in powers.items():
            by_group[groups.get(address) or address] += power
        authors = self._authors.most_common()
        ranked = sorted(authors, key=lambda entry: (-entry[1], entry[0]))
        return {
            "validators": _shares(powers.values()),
            "groups": _shares(by_group.values()),
            "authors": _shares(self._authors.values()),
            "author_ranks": [
                {"address": address, "name": names.get(address, ""), "records": count}
                for address, count in ranked[:AUTHORS_MAX]
            ],
            "authors_in_all": len(ranked),
        }


class _StateOf:
    """Typed reads of a store's state. Implements `ledger.family.Reader`."""

    def __init__(self, store: ChainStore) -> None:
        self._state = store.state

    def get(self, family: Any, ident: str | bytes) -> Any:
        raw = self._state.get(family.key(ident))
        return None if raw is None else family.decode(raw)


def counts_of(entry: dict[str, Any]) -> list[str]:
    """The names of the counters of an entry of conduct."""
    return [name for name, value in entry.items() if isinstance(value, int)]


def _ranked(counts: Counter[str]) -> list[dict[str, Any]]:
    """The most first, then by name."""
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return [{"code": code, "count": count} for code, count in ranked]


def _percentiles(ascending: Sequence[int]) -> dict[str, int] | None:
    """Median, 99th percentile (nearest rank) and maximum; None of nothing."""
    if not ascending:
        return None
    count = len(ascending)
    return {"p50": ascending[(count - 1) // 2], "p99": ascending[(99 * count - 1) // 100], "max": ascending[-1]}


def _shares(values: Iterable[int]) -> dict[str, Any]:
    """How unequal: how many of the largest have more than a third and two thirds, the largest share, the
    Herfindahl-Hirschman index (sum of the squared shares in per cent, 10,000 for one alone), and the shares, summed
    from the largest on."""
    ranked = sorted(values, reverse=True)
    total = sum(ranked)
    sums = list(accumulate(ranked))
    return {
        "count": len(ranked),
        "more_than_a_third": 1 + sum(3 * value <= total for value in sums) if total else 0,
        "more_than_two_thirds": 1 + sum(3 * value <= 2 * total for value in sums) if total else 0,
        "largest_per_mille": per_mille(ranked[0], total) if ranked else 0,
        "hhi": (10_000 * sum(value * value for value in ranked) + total * total // 2) // (total * total)
        if total
        else 0,
        "sums_per_mille": [per_mille(value, total) for value in sums[:100]],
    }


def _binned(days: Counter[tuple[int, str]]) -> tuple[str, list[dict[str, Any]]]:
    """(unit, bins without a gap): days, weeks from Monday on, or months."""
    if not days:
        return "day", []
    first, last = min(day for day, _ in days), max(day for day, _ in days)
    weeks = (last + 3) // 7 - (first + 3) // 7 + 1
    unit = "day" if last - first < BINS_MAX else "week" if weeks <= BINS_MAX else "month"
    found: dict[str, Counter[str]] = {_bin_of(day, unit): Counter() for day in range(first, last + 1)}
    for (day, kind), count in days.items():
        found[_bin_of(day, unit)][kind] += count
    return unit, [{"from": start, "types": _ranked(counts)} for start, counts in found.items()]


def _bin_of(day: int, unit: str) -> str:
    """The first day of the bin, as an ISO date."""
    if unit == "week":
        day -= (day + 3) % 7
    text = (_EPOCH + timedelta(days=day)).date().isoformat()
    return text[:8] + "01" if unit == "month" else text
