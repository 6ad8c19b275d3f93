"""The board in the words of a reader: every value by the name of its place on the page. Pure.

The page and its stream of events are drawn from the same values. A value is a text, or a mapping of what its place
shows: `text`; `tone`, which the style colours it by; `href`; `strip`, a letter for each square. A list of mappings
fills a list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal
from urllib.parse import urlsplit

from node.ledger.json_form import time_from_text
from web.board.alarms import RULES, Alarm
from web.board.gathering import WATCHED, NodeSeen, PeerTold, Seen, height_of
from web.board.samples import quantile
from web.nodes import NOT_ASKED
from web.pages.blocks import SILENT, Record, records
from web.party import Party
from web.words import Words

Field = str | Mapping[str, str]
Value = Field | Sequence[Mapping[str, Field]]
Link = Callable[[str], str]
"""The address of a page in the reader's language, by its path."""
Tone = Literal["good", "warn", "bad", ""]
Fault = Literal["", "unasked", "chain", "slow", "refused", "other"]
NONE: Final = "–"
STALE_S: Final = 60.0
"""Age of the head from which the chain stands still, as other pages and the alarm `stalled` have it."""
DISK_LOW: Final = 0.1
"""The share of a disk from which its free space is marked, as the alarm `disk` has it."""
SIGNING_TONES: Final[Mapping[str, Tone]] = {
    "signing": "good", "not_a_validator": "", "listening": "warn", "catching_up": "warn", "waiting": "warn",
    "stopped": "bad", "signer unreachable": "bad", "no_key": "bad", "another_key": "bad", "halted": "bad",
}  # fmt: skip
"""What a node says of its signing, before a colon, and how that is coloured."""
STEPS: Final = ("new", "propose", "prevote", "precommit", "decided")
SIZES: Final = (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3))


def values_of(seen: Seen, words: Words, link: Link) -> dict[str, Value]:
    """All values of the board."""
    found: dict[str, Value] = {
        "notice": _above(seen, words), **_numbers(seen, words), **_alarms(seen, words, link),
        **_votes(seen, words, link),
    }  # fmt: skip
    for place, node in enumerate(seen.nodes):
        found |= {f"n{place}.{name}": value for name, value in _node(node, seen, words).items()}
    return found


def fault_of(fault: str) -> Fault:
    """The kind of a reason why a node does not answer."""
    if not fault:
        return ""
    for kind, sign in FAULT_SIGNS:
        if sign in fault:
            return kind
    return "other"


FAULT_SIGNS: Final[tuple[tuple[Fault, str], ...]] = (
    ("unasked", NOT_ASKED), ("chain", "another chain"), ("slow", "Timeout"), ("refused", "ConnectorError"),
    ("refused", "Disconnected"), ("refused", "ConnectionReset"),
)  # fmt: skip


def name_of(node: NodeSeen) -> str:
    """How the board calls a node: as its operator does, else by its address."""
    return (node.status.moniker if node.status else "") or urlsplit(node.url).netloc


def size_text(words: Words, size: float) -> str:
    """A number of bytes in the unit that it has most of."""
    unit, of = next(((unit, of) for unit, of in SIZES if size >= of), ("B", 1))
    return f"{words.number(round(size / of, 1 if of > 1 and size < 100 * of else 0))}\N{NO-BREAK SPACE}{unit}"


# --- numbers at a glance -----------------------------------------------------------------------------------------
def _numbers(seen: Seen, words: Words) -> dict[str, Value]:
    answering = [node for node in seen.nodes if not node.fault]
    nodes = {"count": words.number(len(answering)), "total": words.number(len(seen.nodes))}
    heights, age = [height_of(node) for node in seen.nodes], _head_age(seen)
    middle, high = quantile(seen.finality_s, 0.5), quantile(seen.finality_s, 0.99)
    peers = [node.samples["bmw_peers"] for node in answering if "bmw_peers" in node.samples]
    fullest = max(answering, key=lambda node: node.samples.get("bmw_pool_txs", 0), default=None)
    return {
        "gathered": words("board.gathered", time=words.time(datetime.fromtimestamp(seen.at_s, UTC).isoformat())),
        "height": words.number(max(heights, default=0)) if any(heights) else NONE,
        "height_note": words("board.unknown") if age is None else words("board.age", ago=words.ago(age)),
        "finality": NONE if middle is None else _seconds(words, middle),
        "finality_note": words("board.finality_none") if high is None else words(
            "board.finality_note", high=_seconds(words, high), count=words.number(len(seen.finality_s))),
        "peers": words.number(int(min(peers))) if peers else NONE,
        "peers_note": words("board.answering", **nodes),
        "pool": words.number(int(fullest.samples.get("bmw_pool_txs", 0))) if fullest else NONE,
        "pool_note": size_text(words, fullest.samples.get("bmw_pool_bytes", 0)) if fullest else words("board.unknown"),
    }  # fmt: skip


def _head_age(seen: Seen) -> float | None:
    """The age of the newest head: as the nodes tell it, else by this machine's clock; None if there is none."""
    told = [node.samples["bmw_head_age_seconds"] for node in seen.nodes if "bmw_head_age_seconds" in node.samples]
    known = [seen.at_s - time_from_text(node.status.head.time) / 1_000 for node in seen.nodes if node.status]
    return min(told or known, default=None)


def _above(seen: Seen, words: Words) -> Field:
    """What stands above everything else, empty as a rule."""
    age = _head_age(seen)
    if all(node.fault for node in seen.nodes):
        return {"text": words("board.all_silent"), "tone": "bad"}
    if age is not None and age > STALE_S:
        return {"text": words("board.stale", ago=words.ago(age)), "tone": "warn"}
    return {"text": "", "tone": ""}


def _seconds(words: Words, seconds: float) -> str:
    if seconds < 1:
        return f"{words.number(round(seconds * 1_000))} ms"
    return f"{words.number(round(seconds, 1 if seconds < 100 else 0))} s"


# --- alarms ------------------------------------------------------------------------------------------------------
def _alarms(seen: Seen, words: Words, link: Link) -> dict[str, Value]:
    names = {node.url: name_of(node) for node in seen.nodes}
    raised, title = seen.alarms, words("board.title")
    worst: Tone = "good" if not raised else "bad" if raised[0].rule.severity == "critical" else "warn"
    said = words.several(words(f"alarms.{alarm.rule.code}") for alarm in raised)
    sentence = words.count("board.raised", len(raised), alarms=said) if raised else words("board.none")
    return {
        "title": f"({len(raised)}) {title}" if raised else title,
        "summary": {"text": sentence, "tone": worst},
        "watched": words("board.watched", count=words.number(len(RULES))),
        "alarms": [_alarm(alarm, names, words, link) for alarm in raised],
    }


def _alarm(alarm: Alarm, names: Mapping[str, str], words: Words, link: Link) -> dict[str, Field]:
    rule, since = alarm.rule, datetime.fromtimestamp(alarm.since_s, UTC).isoformat()
    tone = "bad" if rule.severity == "critical" else "warn"
    return {
        "item": {"tone": tone},
        "severity": {"text": words(f"board.{rule.severity}"), "tone": tone},
        "what": words(f"alarms.{rule.code}"),
        "nodes": words.several(names[node] for node in alarm.nodes),
        "since": words("board.since", time=words.time(since)),
        "runbook": {"href": link("/board/runbook") + f"#{rule.code}"},
    }


# --- nodes -------------------------------------------------------------------------------------------------------
def _node(node: NodeSeen, seen: Seen, words: Words) -> dict[str, Value]:
    kind, sample = fault_of(node.fault), node.samples.get
    head, status = max(map(height_of, seen.nodes)), node.status
    badge: tuple[str, Tone]
    if kind:
        badge = words(f"board.fault_{kind}"), "bad"
    elif behind := head - height_of(node) if height_of(node) + 5 < head else 0:
        badge = words("board.behind", count=words.number(behind)), "warn"
    else:
        badge = words("board.answers"), "good"
    signing = _signing(node, words)
    return {
        "name": name_of(node),
        "item": {"tone": badge[1]},
        "badge": {"text": badge[0], "tone": badge[1]},
        "why": node.fault,
        "height": words.number(height_of(node)) if status else NONE,
        "step": f"{words.number(status.round)} · {_step(status.step, words)}" if status else NONE,
        "signing": {"text": signing[0], "tone": signing[1]},
        "peers": NONE if kind else words.number(int(sample("bmw_peers", 0))),
        "pool": NONE if kind else f"{words.number(int(sample('bmw_pool_txs', 0)))} · "
                                  f"{size_text(words, sample('bmw_pool_bytes', 0))}",
        "disk": _disk(node, words),
        "memory": size_text(words, value) if (value := sample('bmw_memory_bytes{kind="anonymous"}')) else NONE,
        "snapshot": words.number(int(value)) if (value := sample("bmw_newest_snapshot_height"))
                    else NONE if value is None else words("board.no_snapshot"),
        "tls": words("board.no_tls") if (left := sample("bmw_rpc_certificate_seconds_left")) is None and not kind
               else NONE if left is None else words("board.tls_ended") if left <= 0 else words.ago(left),
        "clock": NONE if (off := sample("bmw_clock_offset_seconds")) is None else _offset(words, off),
        "version": status.version if status else NONE,
        "links": [_peer(peer, words) for peer in node.peers or ()],
        "links_note": "" if node.peers else words("board.no_peers" if node.peers == () else "board.peers_unknown"),
    }  # fmt: skip


def _signing(node: NodeSeen, words: Words) -> tuple[str, Tone]:
    """The node's role: whether it signs, else why not; with what the node says besides."""
    if not node.status or node.fault:
        return NONE, ""
    code, _, rest = node.status.signing.partition(": ")
    if code not in SIGNING_TONES:
        return node.status.signing, "warn"
    text = words(f"board.signing_{code.replace(' ', '_')}")
    return f"{text}: {rest}" if rest else text, SIGNING_TONES[code]


def _step(step: str, words: Words) -> str:
    return words(f"board.step_{step}") if step in STEPS else step


def _disk(node: NodeSeen, words: Words) -> Field:
    free, whole = node.samples.get("bmw_disk_free_bytes"), node.samples.get("bmw_disk_bytes")
    if free is None or not whole:
        return {"text": NONE, "tone": ""}
    text = words("board.disk_of", free=size_text(words, free), total=size_text(words, whole))
    return {"text": text, "tone": "bad" if free / whole < DISK_LOW else ""}


def _offset(words: Words, seconds: float) -> str:
    return f"{'+' if seconds > 0 else '−' if seconds < 0 else '±'}{words.number(round(abs(seconds), 3))} s"


def _peer(peer: PeerTold, words: Words) -> dict[str, Field]:
    return {
        "name": peer.member_name or peer.moniker or peer.node_key[:16],
        "address": peer.address,
        "direction": words("board.outbound" if peer.is_outbound else "board.inbound"),
        "height": words.number(peer.height) if peer.height >= 0 else NONE,
        "score": {"text": words.number(peer.score), "tone": "warn" if peer.score else ""},
    }


# --- votes -------------------------------------------------------------------------------------------------------
LETTERS: Final[Mapping[bool | None, str]] = {True: "y", False: "n", None: "o"}
"""Of a strip: signed, not signed, not in the set."""


def _votes(seen: Seen, words: Words, link: Link) -> dict[str, Value]:
    blocks = seen.blocks[:WATCHED]
    evidence = sum(block.evidence for block in blocks)
    found: list[Record] = []
    if seen.current is not None:
        names = {each["address"]: each["name"] for each in seen.current["validators"]}

        def party(address: str) -> Party:
            name = names.get(address, "")
            return Party(name or words.short(address, 12), link(f"/member/{name}") if name else "", address, bool(name))

        found = records(seen.current, blocks, seen.sets, party)
    rows = [_vote(record, words) for record in found]
    return {
        "validators": rows,
        "validator_rows": rows,
        "votes_note": words("validators.watched", count=words.number(len(blocks)),
                            first=words.number(blocks[-1].height), last=words.number(blocks[0].height))
                      if blocks else words("board.votes_none"),
        "evidence": {"text": words.count("board.evidence", evidence) if evidence else words("board.evidence_none"),
                     "tone": "bad" if evidence else ""},
    }  # fmt: skip


def _vote(record: Record, words: Words) -> dict[str, Field]:
    badge: tuple[str, Tone]
    if record.uptime is None:
        badge = words("validators.unknown"), ""
    elif not record.signed:
        badge = words("validators.absent", count=words.number(record.missed)), "bad"
    elif record.silent >= SILENT:
        badge = words("validators.silent", count=words.number(record.silent)), "warn"
    else:
        badge = words("validators.present"), "good"
    share = NONE if record.uptime is None else f"{words.number(round(record.uptime * 100, 1))} %"
    return {
        "name": {"text": record.party.text} | ({"href": record.party.href} if record.party.href else {}),
        "badge": {"text": badge[0], "tone": badge[1]},
        "strip": {"strip": "".join(LETTERS[signed] for signed in record.strip)},
        "share": share,
        "signed": words.number(record.signed),
        "missed": words.number(record.missed),
        "silent": words.number(record.silent),
        "proposed": words.number(record.proposed),
        "power": words.number(record.power),
    }
