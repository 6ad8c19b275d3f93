"""The buyer's report as a page for people: sections in the order of the report, a line for each fact."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from node.console import Cell, Style, say, show_facts
from node.rules.odometer import MILLIMETRES
from wallet.show import STYLES, counted, value_text

Report = Mapping[str, Any]
Facts = Iterable[tuple[str, str | Cell]]
NONE: Final = Cell("none", "dim")


class Section(NamedTuple):
    """`facts`: (name, value) of each line."""

    title: str
    facts: Callable[[Report], Facts]


def echo_report(report: Report) -> None:
    """Print the page."""
    say(f"Buyer's report for {report['vin']}", "strong")
    rows: list[tuple[str, str | Cell]] = []
    for section in SECTIONS:
        facts = [(f"  {name}", value) for name, value in section.facts(report)]
        rows += [(section.title, ""), *facts] if facts else [(section.title, NONE)]
    show_facts(rows)


# --- words --------------------------------------------------------------------------------------------------
def _day(value: Any) -> str:
    return str(value)[:10] if value else "-"


def _words(code: Any) -> str:
    return str(code).replace("_", " ")


def _list(values: Any) -> str:
    return ", ".join(map(_words, values)) or "-"


def _cell(text: str, code: str, style: Style = "") -> Cell:
    """A text in the style of a code."""
    return Cell(text, style or STYLES.get(code, ""))


_STATE: Final[dict[str, Style]] = {
    "confirmed": "bad", "pending": "warn", "undecided": "warn", "annulled": "dim", "reported": "warn", "closed": "dim",
}  # fmt: skip


# --- the sections -------------------------------------------------------------------------------------------
def _identity(report: Report) -> Facts:
    car, is_born = report["identity"], report["origin"] == "born"
    maker = car["maker_name"] or (car["maker"] if is_born else "a maker that is not on this chain")
    yield "maker and model", f"{maker}, {car['model']}, {car['powertrain']}"
    yield "built", f"{car['produced_on'] if is_born else car['produced_on'][:4]} in {car['plant']}"
    notice = report["history_notice"]
    whole = f"born on this chain: all of its life since {_day(report['covered_since'])} is here"
    yield "origin", Cell(notice, "warn") if notice else Cell(whole, "good")


def _existence(report: Report) -> Facts:
    yield "existence", _cell(_words(report["existence"]), report["existence"])
    if loss := report["loss"]:
        text = f"category {loss['category']}, {loss['state']} since {_day(loss['since'])}, record {loss['sequence']}"
        yield "total loss", Cell(text, _STATE.get(loss["state"], ""))
    if report["ended_at"]:
        yield "ended", _day(report["ended_at"])


def _brands(report: Report) -> Facts:
    for brand in report["brands"]:
        records = ", ".join(str(sequence) for sequence in (brand["sequence"], *brand["others"]))
        text = f"{brand['state']} since {_day(brand['since'])}, record {records}"
        yield _words(brand["code"]), Cell(text, _STATE.get(brand["state"], ""))


def _flags(report: Report) -> Facts:
    for flag in report["flags"]:
        end = f" until {_day(flag['until'])}" if flag["until"] else ""
        firm = "firm" if flag["is_firm"] else "provisional"
        setter = flag["setter_name"] or flag["setter"]
        text = f"{firm}{end}, set by {setter} on {_day(flag['set_at'])}, blocks {_list(flag['blocks'])}"
        yield _words(flag["name"]), Cell(text, "bad" if flag["is_firm"] else "warn")


def _claims(report: Report) -> Facts:
    for claim in report["claims"]:
        debtor, creditor = (claim[f"{side}_name"] or claim[side] for side in ("debtor", "creditor"))
        text = f"{debtor} owes {creditor} {value_text(claim['amount'])} from order {claim['order'][:12]}"
        yield _words(claim["cause"]), Cell(f"{text}, and may not deal in this car", "warn")


def _conduct(report: Report) -> Facts:
    told = report["holder_conduct"]
    if told["fraud_since"]:
        yield "fraud", Cell(f"marked since {_day(told['fraud_since'])}", "bad")
    if told["owes_on_car"]:
        yield "debtor", Cell("owes money for this very car; it may not sell it until that is paid", "bad")
    if told["refunds_overdue"]:
        yield "overdue", Cell(f"{counted(told['refunds_overdue'], 'refund')}; it may not sell until paid", "bad")
    if told["defaulted"]:
        yield "defaults", Cell(f"left {counted(told['defaulted'], 'accepted order')} as the seller", "warn")


def _recalls(report: Report) -> Facts:
    for recall in report["recalls"]:
        numbers = ", ".join(f"{entry['authority']} {entry['number']}" for entry in recall["references"])
        text = f"{_words(recall['recall_class'])}, remedy {_words(recall['remedy'])} from {recall['remedy_from_day']}"
        is_mild = recall["recall_class"] == "quality"
        yield recall["campaign"], Cell(text + (f" ({numbers})" if numbers else ""), "warn" if is_mild else "bad")


def _alerts(report: Report) -> Facts:
    for alert in report["alerts"]:
        text = f"{alert['state']}, {counted(alert['count'], 'report')}, last {_day(alert['last'])}"
        yield _words(alert["code"]), Cell(f"{text}, record {alert['sequence']}", _STATE.get(alert["state"], ""))
    if report["parallel_life"]:
        yield "hint", Cell("one car can't have been at all its places in the time: another may wear this VIN", "warn")


def _odometer(report: Report) -> Facts:
    part = report["odometer"]
    reasons = f" ({_list(part['reasons'])})" if part["reasons"] else ""
    yield "verdict", _cell(f"{part['verdict']}: {part['sentence']}{reasons}", part["verdict"])
    if newest := part["newest"]:
        shown, gone = (f"{metres * 1_000 // MILLIMETRES[part['unit']]:,} {part['unit']}"
                       for metres in (newest["metres"], part["distance_metres"]))  # fmt: skip
        count, told = part["instruments"], f"{shown} on {_day(newest['event_at'])}, record {newest['sequence']}"
        yield "newest reading" if count == 1 else "present instrument", told
        if count > 1:
            proven = "" if part["is_distance_proven"] else ", which is not proven"
            yield "driven overall", Cell(f"{gone} over {count} instruments{proven}", "warn" if proven else "")
    for explanation in part["explanations"]:
        named = ", ".join(map(str, explanation["sequences"]))
        yield f"record {named}", Cell(explanation["sentence"], "warn")
    per_mille = part["coverage_per_mille"]
    yield "covered", f"{per_mille // 10}.{per_mille % 10} % of the time by independent readings"
    yield "corrections", str(part["corrections"])


def _incidents(report: Report) -> Facts:
    for incident in report["incidents"]:
        done = "repaired" if incident["is_repaired"] else "not repaired"
        released = ", released by an inspection" if incident["is_released"] else ""
        text = f"{incident['severity']} ({_list(incident['zones'])}), {incident['state']}, {done}{released}"
        style: Style = "dim" if incident["state"] == "annulled" else "" if incident["is_repaired"] else "warn"
        yield _day(incident["first"]), Cell(f"{text}, record {incident['sequence']}", style)
    if report["older_incidents"]:
        yield "older", counted(report["older_incidents"], "incident") + " more, see the history"
    for duty in report["duties"]:
        yield "still to do", Cell(f"{_words(duty['code'])}, from record {duty['sequence']}", "bad")


def _inspections(report: Report) -> Facts:
    if last := report["inspection"]:
        style: Style = "good" if last["result"] in ("pass", "minor") else "bad"
        until = f", valid until {_day(last['valid_until'])}" if last["valid_until"] else ""
        yield "last", Cell(f"{last['result']} on {_day(last['at'])}{until}, record {last['sequence']}", style)
    if report["is_retest_overdue"]:
        yield "retest", Cell("overdue: the car counts as unroadworthy", "bad")
    yield from _lines(report["inspections"], "")


def _holders(report: Report) -> Facts:
    holder = report["holder_name"] or report["holder"]
    yield "holders so far", str(report["holders"])
    yield "now", f"{holder} since {_day(report['title_since'])}"
    if report["usage_brands"]:
        yield "used as", Cell(_list(report["usage_brands"]), "warn")


def _registration(report: Report) -> Facts:
    now = report["registration"]
    if now["status"] == "none":
        return
    until = f", until {_day(now['until'])}" if now["until"] else ""
    to = f" to {now['to_country']}" if now["to_country"] else ""
    yield "now", f"{_words(now['status'])} in {now['country']}{to} since {_day(now['since'])}{until}"
    if claim := now["claim"]:
        yield "claimed by", Cell(f"{claim['country']} since {_day(claim['since'])}", "warn")
    yield from _lines(report["registrations"], "")


def _warranties(report: Report) -> Facts:
    for warranty in report["warranties"]:
        distance = "any distance" if warranty["km_left"] is None else f"{warranty['km_left']:,} km"
        provider = warranty["provider_name"] or warranty["provider"]
        text = f"{_list(warranty['groups'])} by {provider}, {_words(warranty['status'])}: "
        yield warranty["plan"], f"{text}{counted(warranty['days_left'], 'day')} and {distance} left"


def _batteries(report: Report) -> Facts:
    for battery in report["batteries"]:
        health = battery["health"]
        last = f", health {health[-1]['soh'] / 10:.1f} % on {_day(health[-1]['at'])}" if health else ""
        wrong = ", as an annulled or amended record says" if battery["is_told_wrong"] else ""
        below = ", below what the law asks for at its age" if battery["below_floor"] else ""
        style: Style = "bad" if battery["below_floor"] else "warn" if wrong or battery["place"] == "contested" else ""
        text = f"{_words(battery['state'])}, {battery['place']}, {battery['capacity_wh'] / 1_000:.1f} kWh{wrong}"
        yield battery["id"][:12], Cell(f"{text}{last}{below}", style)


def _next(dispute: Mapping[str, Any]) -> str:
    """When a dispute was closed, or what it waits for."""
    step = dispute["next"]
    if step is None:
        return f" on {_day(dispute['closed_at'])}"
    if step["until"]:
        return f" until {_day(step['until'])}"
    return f", takes effect when {step['by']} sends {step['type']}, since {_day(step['from'])}"


def _disputes(report: Report) -> Facts:
    for dispute in report["disputes"]:
        outcome = f": {_words(dispute['outcome'])}" if dispute["outcome"] else ""
        silent = ", its author has not answered" if dispute["is_unanswered"] else ""
        text = f"{_words(dispute['ground'])}, {_words(dispute['status'])}{outcome}{_next(dispute)}{silent}"
        style: Style = "" if dispute["status"] == "closed" else "warn"
        yield f"record {dispute['target']['sequence']}", Cell(f"{text}, opened {_day(dispute['opened_at'])}", style)


def _lines(lines: Mapping[str, Any], style: Style) -> Facts:
    """Records, the newest first."""
    for line in reversed(lines["newest"]):
        what = f" {line['what']}" if line["what"] else ""
        became = f", {line['became']}" if line["became"] else ""
        text = f"{line['kind']}{what} by {line['author_name'] or line['author']}, record {line['sequence']}{became}"
        yield _day(line["event_at"]), Cell(text, "dim" if line["became"] in ("amended", "annulled") else style)
    if (more := lines["count"] - len(lines["newest"])) > 0:
        yield "older", f"{counted(more, 'record')} more, see the history"


def _sale(report: Report) -> Facts:
    yield "conditions", Cell(_list(report["conditions"]), "warn" if report["conditions"] else "")
    yield "material records", str(report["material_changes"])
    yield "material root", report["material_root"]
    read, count = report["records_read"], report["record_count"]
    yield "records", value_text(count) if read == count else f"{count}, of which the newest {read} were read"
    if report["withheld"]:
        yield "withheld", Cell(f"{counted(report['withheld'], 'record')} whose content the node does not show", "bad")


SECTIONS: Final = (
    Section("Identity and origin", _identity),
    Section("Existence", _existence),
    Section("Brands", _brands),
    Section("Stop-flags", _flags),
    Section("Claims from earlier sales", _claims),
    Section("The holder as a seller", _conduct),
    Section("Open recalls", _recalls),
    Section("Alerts", _alerts),
    Section("Odometer", _odometer),
    Section("Incidents", _incidents),
    Section("Inspections", _inspections),
    Section("Holders", _holders),
    Section("Registration", _registration),
    Section("Warranty", _warranties),
    Section("High-voltage battery", _batteries),
    Section("Disputes", _disputes),
    Section("Records of authors revoked for fraud", lambda report: _lines(report["fraud_records"], "bad")),
    Section("Records that were reported late", lambda report: _lines(report["late_records"], "")),
    Section("For a sale", _sale),
)
