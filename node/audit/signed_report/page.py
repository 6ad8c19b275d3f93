"""The report as one HTML page: plots as inline SVG, tables, the signature; no script, nothing from another origin."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from node.audit.signed_report import svg
from node.audit.signed_report.signed import SignedReport
from node.audit.signed_report.svg import Bar, Part, Series, both
from node.audit.signed_report.words import LANGUAGES, Language, Tag

STYLE: Final = Path(__file__).with_name("style.css")
TYPES_PLOTTED: Final = 7
"""Types with a colour of their own, those with the most records; the rest is one more."""
TYPES_LISTED: Final = 20
VERDICTS: Final = {"LOGICAL": "good", "CONTESTED": "warn", "ILLOGICAL": "bad", "NO_VERDICT": "none"}
OUTCOMES: Final = {
    "stands": "c3", "amended": "c6", "annulled": "c5", "undecided": "c7", "withdrawn": "c8", "open": "c1",
}  # fmt: skip
CHECK: Final = (
    '<svg viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="12" r="11" class="good"/>'
    '<path d="M6.5 12.5l3.6 3.6 7.4-8" class="check"/></svg>'
)
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page_name(tag: Tag) -> str:
    return f"report.{tag}.html"


def render_page(signed: SignedReport, tag: Tag) -> str:
    """The page in one language."""
    return _Page(signed, Language(tag)).whole()


class _Page:
    def __init__(self, signed: SignedReport, language: Language) -> None:
        self._signed, self._report, self._in = signed, signed.report, language

    def whole(self) -> str:
        say, chain = self._in.word, self._report["chain"]
        sections = (
            ("finality", self._finality()), ("by_type", self._records()), ("verdicts", self._verdicts()),
            ("disputes", self._disputes()), ("conduct", self._conduct()), ("uptime", self._validators()),
            ("concentration", self._concentration()), ("proof", self._proof()),
        )  # fmt: skip
        links = "".join(f'<li><a href="#{name}">{escape(say(name))}</a></li>' for name, _ in sections)
        body = "".join(
            f'<section id="{name}"><h2>{escape(say(name))}</h2><p class="more">{escape(say(name + "_more"))}</p>'
            f"{content}</section>"
            for name, content in sections
        )
        title = f"{say('title')}: {chain['chain_id']}, {say('height')} {self._in.number(chain['height'])}"
        head = (
            f'<!doctype html>\n<html lang="{self._in.tag}"><head><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width,initial-scale=1">'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
            f"<title>{escape(title)}</title><style>{STYLE.read_text('utf-8')}</style></head>"
        )
        return (
            f"{head}<body><header>{self._languages()}{self._summary()}"
            f'<nav aria-label="{escape(say("contents"))}"><ol>{links}</ol></nav></header><main>{body}</main>'
            "</body></html>\n"
        )

    def _languages(self) -> str:
        entries = (
            f'<b lang="{tag}" aria-current="true">{name}</b>'
            if tag == self._in.tag
            else f'<a href="{page_name(tag)}" lang="{tag}" hreflang="{tag}">{name}</a>'
            for tag, name in LANGUAGES.items()
        )
        return f'<div class="languages">{"".join(entries)}</div>'

    def _summary(self) -> str:
        say, number, report = self._in.word, self._in.number, self._report
        chain, interval = report["chain"], report["blocks"]["interval_ms"]
        tiles = {
            "height": number(chain["height"]),
            "transactions": number(report["transactions"]["count"]),
            "records": number(report["records"]["count"]),
            "cars": number(report["vehicles"]["count"]),
            "validators": number(report["concentration"]["validators"]["count"]),
            "median": self._in.duration(interval["p50"]) if interval else "–",
        }
        period = say("from_to", self._in.day(chain["first_time"]), self._in.day(chain["time"]))
        shown = "".join(f"<div><dt>{escape(say(n))}</dt><dd>{escape(v)}</dd></div>" for n, v in tiles.items())
        return (
            f"<h1>{escape(say('title'))}</h1>"
            f'<p class="of">{escape(chain["chain_id"])}, {escape(period)}</p>'
            f'<div class="verdict">{CHECK}<div><strong>{escape(say("valid"))}</strong>'
            f"<span>{escape(say('valid_more'))}</span></div></div>"
            f'<dl class="tiles">{shown}</dl>'
        )

    # --- sections -------------------------------------------------------------------------------------------
    def _finality(self) -> str:
        say, periods, blocks = self._in.word, self._report["blocks"]["periods"], self._report["blocks"]
        labels = [self._in.number(period["first_height"]) for period in periods]
        labels[0] = f"{say('block')} {labels[0]}"
        intervals = [period["interval_ms"] for period in periods]
        given = [entry for entry in intervals if entry]
        parts = []
        if given:
            series = [
                Series(say(name), style, [max(entry[name], 1) if entry else None for entry in intervals])
                for name, style in (("max", "c8"), ("p99", "c2"), ("p50", "c1"))
            ]
            scale = svg.duration_ticks(max(min(e["p50"] for e in given), 1), max(e["max"] for e in given))
            parts.append(_heading(say("interval"), say("log_axis")))
            parts.append(self._plot(say("interval"), series, labels, scale, self._in.duration, is_log=True))
            parts.append(_legend([(entry.style, entry.label) for entry in reversed(series)]))
        for name, key, style in (("transactions_over", "transactions", "c1"), ("late", "late", "c5")):
            values = [period[key] for period in periods]
            parts.append(_heading(say(name)))
            if any(values):
                scale = svg.ticks(max(values))
                series = [Series(say(name), style, values)]
                parts.append(self._plot(say(name), series, labels, scale, self._in.number, is_stacked=True, height=150))
            else:
                parts.append(_more(say("nothing")))
        shares = [period["power_signed_per_mille"] for period in periods]
        if any(share is not None for share in shares):
            parts.append(_heading(say("power_signed")))
            series = [Series(say("power_signed"), "c3", shares)]
            parts.append(
                self._plot(say("power_signed"), series, labels, [600, 700, 800, 900, 1_000], self._in.share, height=150)
            )
        rows = [
            [say("round", entry["round"]), self._in.number(entry["blocks"])] for entry in blocks["rounds"]
        ]  # fmt: skip
        total = blocks["interval_ms"]
        if total:
            rows += [[say(name), self._in.duration(total[name])] for name in ("p50", "p99", "max")]
        parts.append(self._folded(["", say("blocks")], rows))
        return "".join(parts)

    def _plot(
        self, title: str, series: Sequence[Series], labels: Sequence[str], scale: Sequence[float], show: svg.Format,
        **how: Any,
    ) -> str:  # fmt: skip
        drawn = both(lambda width: svg.over_time(title, series, labels, scale, show, width, **how))
        return f"<figure>{drawn}</figure>"

    def _records(self) -> str:
        say, number, records = self._in.word, self._in.number, self._report["records"]
        if not records["count"]:
            return _more(say("nothing"))
        styles = {entry["code"]: f"c{i + 1}" for i, entry in enumerate(records["types"][:TYPES_PLOTTED])}
        listed = records["types"][:TYPES_LISTED]
        rest = records["count"] - sum(entry["count"] for entry in listed)
        entries = [(entry["code"], entry["count"], styles.get(entry["code"], "c8")) for entry in listed]
        entries += [(say("others"), rest, "c8")] if rest else []
        shown = [Bar(code, [Part(style, count, number(count))], number(count)) for code, count, style in entries]
        layers = [*styles.items(), (say("others"), "c8")]
        bins = [{entry["code"]: entry["count"] for entry in found["types"]} for found in records["bins"]]
        series = [
            Series(
                name,
                style,
                [
                    found.get(name, 0) if name in styles else sum(n for code, n in found.items() if code not in styles)
                    for found in bins
                ],
            )
            for name, style in layers
        ]
        series = [entry for entry in series if any(entry.values)]
        most = max(sum(found.values()) for found in bins)
        labels = [found["from"][:7] if records["unit"] == "month" else found["from"] for found in records["bins"]]
        over = self._plot(say("over_time"), series, labels, svg.ticks(most), number, is_stacked=True, height=220)
        return (
            f"<figure>{both(lambda width: svg.bars(say('by_type'), shown, width))}</figure>"
            f"{_heading(say('over_time'), say('per_' + records['unit']))}{over}"
            f"{_legend([(entry.style, entry.label) for entry in series])}"
            + self._folded(["", say("records")], [[e["code"], number(e["count"])] for e in records["types"]])
        )

    def _verdicts(self) -> str:
        say, vehicles = self._in.word, self._report["vehicles"]
        if not vehicles["count"]:
            return _more(say("nothing"))
        counts = {entry["code"]: entry["count"] for entry in vehicles["verdicts"]}
        verdicts = [(code, counts.get(code, 0), style) for code, style in VERDICTS.items()]
        existence = [(entry["code"], entry["count"], "c1") for entry in vehicles["existence"]]
        recall = Bar(say("open_recall"), [self._part("c2", vehicles["with_open_recall"])],
                     self._of_all(vehicles["with_open_recall"], vehicles["count"]))  # fmt: skip
        return (
            self._bars(say("verdicts"), verdicts, vehicles["count"])
            + _heading(say("existence"))
            + self._bars(say("existence"), existence, vehicles["count"], recall)
        )

    def _part(self, style: str, count: int) -> Part:
        return Part(style, count, self._in.number(count))

    def _of_all(self, count: int, total: int) -> str:
        return f"{self._in.number(count)} ({self._in.share(1_000 * count / total)})"

    def _bars(
        self, title: str, entries: Sequence[tuple[str, int, str]], total: int, *more: Bar, table: str = ""
    ) -> str:
        shown = [
            Bar(self._in.code(code, table), [self._part(style, count)], self._of_all(count, total))
            for code, count, style in entries
        ]
        return f"<figure>{both(lambda width: svg.bars(title, [*shown, *more], width, top=total))}</figure>"

    def _disputes(self) -> str:
        say, disputes = self._in.word, self._report["disputes"]
        if not disputes["count"]:
            return _more(say("nothing"))
        total = disputes["count"]
        outcomes = [(e["code"], e["count"], OUTCOMES.get(e["code"], "c8")) for e in disputes["outcomes"]]
        grounds = [(e["code"], e["count"], "c4") for e in disputes["grounds"]]
        authors = [
            Bar(
                entry["name"] or _short(entry["address"]),
                [
                    Part(OUTCOMES.get(e["code"], "c8"), e["count"], self._in.code(e["code"], "dispute_outcomes"))
                    for e in entry["outcomes"]
                ],
                self._in.number(sum(e["count"] for e in entry["outcomes"])),
            )
            for entry in disputes["authors"]
        ]
        legend = [(style, self._in.code(code, "dispute_outcomes")) for code, _, style in outcomes]
        named = f"{len(disputes['authors'])} / {disputes['authors_in_all']}"
        return (
            _heading(say("by_outcome"))
            + self._bars(say("by_outcome"), outcomes, total, table="dispute_outcomes")
            + _heading(say("by_author"), named if len(disputes["authors"]) < disputes["authors_in_all"] else "")
            + f"<figure>{both(lambda width: svg.bars(say('by_author'), authors, width))}</figure>{_legend(legend)}"
            + _heading(say("by_ground"))
            + self._bars(say("by_ground"), grounds, total, table="dispute_grounds")
        )

    def _conduct(self) -> str:
        say, rows = self._in.word, []
        counters = ("annulled", "unanswered", "dismissed", "defaulted", "refunds_overdue")
        for entry in self._report["conduct"]:
            counts = [self._in.number(entry[name]) if entry[name] else "–" for name in counters]
            ends = [self._in.day(entry[name]) or "–" for name in ("hold_until", "barred_until")]
            rows.append([_named(entry), *counts, *ends])
        names = ("account", *counters, "hold_until", "barred_until")
        return self._table([say(name) for name in names], rows, 5) if rows else _more(say("nothing"))

    def _validators(self) -> str:
        say, number, validators = self._in.word, self._in.number, self._report["validators"]
        periods = self._report["blocks"]["periods"]
        tips = [f"{say('block')} {number(p['first_height'])}–{number(p['last_height'])}" for p in periods]
        shown = [
            (v["name"] or _short(v["address"]), v["periods"], self._share(v["uptime_per_mille"])) for v in validators
        ]
        legend = [("up", "all_votes"), ("u3", "most_votes"), ("u2", "some_votes"), ("u1", "few_votes")]
        rows = [
            [
                _named(v), number(v["power"]), f"{number(v['signed'])} / {number(v['blocks'])}",
                self._share(v["uptime_per_mille"]), number(v["proposed"]), number(v["missed_proposals"]),
            ]
            for v in validators
        ]  # fmt: skip
        names = ("validator", "power", "signed", "uptime_share", "proposed", "missed")
        return (
            _heading(say("votes_over"))
            + f"<figure>{both(lambda width: svg.strips(say('uptime'), shown, tips, width))}</figure>"
            + _legend([*((style, say(name)) for style, name in legend), ("track", say("not_in_set"))])
            + self._table([say(name) for name in names], rows, 5)
        )

    def _share(self, per_mille: int | None) -> str:
        return "–" if per_mille is None else self._in.share(per_mille)

    def _concentration(self) -> str:
        say, number, found = self._in.word, self._in.number, self._report["concentration"]
        kinds = (("validators", "c1"), ("groups", "c2 dashed"), ("authors", "c3"))
        sums = [(say(name), style, found[name]["sums_per_mille"]) for name, style in kinds if found[name]["count"]]
        rows = [
            [
                escape(say(name)), number(found[name]["count"]), number(found[name]["more_than_a_third"]),
                number(found[name]["more_than_two_thirds"]), self._in.share(found[name]["largest_per_mille"]),
                number(found[name]["hhi"]),
            ]
            for name, _ in kinds
        ]  # fmt: skip
        head = ["", say("count"), say("to_third"), say("to_two_thirds"), say("largest"), say("hhi")]
        total = self._report["records"]["count"] or 1
        authors = [
            Bar(e["name"] or _short(e["address"]), [self._part("c3", e["records"])], self._of_all(e["records"], total))
            for e in found["author_ranks"]
        ]
        thirds = (say("third"), say("two_thirds"))
        drawn = both(lambda width: svg.curve(say("cumulative"), sums, thirds, width, say("rank"), self._in.share))
        ranks = f"<figure>{both(lambda w: svg.bars(say('authors'), authors, w))}</figure>" if authors else ""
        return (
            _heading(say("cumulative"))
            + f"<figure>{drawn}</figure>{_legend([(style, label) for label, style, _ in sums])}"
            + self._table(head, rows, 5)
            + _more(say("hhi_more"))
            + (_heading(say("largest_authors")) + ranks if ranks else "")
        )

    def _proof(self) -> str:
        say, chain, signed = self._in.word, self._report["chain"], self._signed
        facts = {
            "chain": chain["chain_id"], "genesis_hash": chain["genesis_hash"],
            "height": self._in.number(chain["height"]), "block_id": chain["block_id"],
            "state_root": chain["state_root"], "digest": signed.digest, "signer": signed.signer,
            "public_key": signed.public_key.hex(), "signature": signed.signature.hex(),
        }  # fmt: skip
        shown = "".join(f'<dt>{escape(say(n))}</dt><dd class="hash">{escape(v)}</dd>' for n, v in facts.items())
        return (
            f"<pre><code>bmw-audit verify-report report.json --signer {escape(signed.signer)}</code></pre>"
            f'{_more(say("proof_limits"))}<dl class="facts">{shown}</dl>'
        )

    # --- tables -----------------------------------------------------------------------------------------------
    def _folded(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        texts = [[escape(cell) for cell in row] for row in rows]
        return f"<details><summary>{escape(self._in.word('table'))}</summary>{self._table(head, texts, 1)}</details>"

    @staticmethod
    def _table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: int) -> str:
        """Rows are HTML. `numbers`: how many columns after the first are aligned to the right."""
        styles = ["", *(' class="n"' for _ in range(numbers)), *("" for _ in head[numbers + 1 :])]
        titles = "".join(f"<th{style}>{escape(text)}</th>" for style, text in zip(styles, head, strict=True))
        lines = "".join(f"<tr>{''.join(map(_table_cell, styles, head, row))}</tr>" for row in rows)
        return f'<div class="scroll"><table><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table></div>'


def _table_cell(style: str, title: str, cell: str) -> str:
    """On a narrow page the title stands before each cell, since rows are shown as blocks."""
    return f'<td{style} data-title="{escape(title)}">{cell}</td>'


def _heading(text: str, note: str = "") -> str:
    small = f" <small>{escape(note)}</small>" if note else ""
    return f"<h3>{escape(text)}{small}</h3>"


def _more(text: str) -> str:
    return f'<p class="more">{escape(text)}</p>'


def _legend(entries: Sequence[tuple[str, str]]) -> str:
    items = "".join(
        f'<li><svg viewBox="0 0 12 12" aria-hidden="true"><rect width="12" height="12" rx="2.5" class="{style}"/></svg>'
        f"{escape(text)}</li>"
        for style, text in entries
    )
    return f'<ul class="legend">{items}</ul>'


def _named(entry: dict[str, Any]) -> str:
    """A member's name with its address below, as HTML."""
    address = f'<small class="hash" title="{entry["address"]}">{_short(entry["address"])}</small>'
    return f"{escape(entry['name'])}{address}" if entry["name"] else address


def _short(address: str) -> str:
    return f"{address[:10]}…{address[-6:]}"
