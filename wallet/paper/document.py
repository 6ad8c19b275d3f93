"""A certificate as a PDF: a summary, the records, how to verify it, codes, and the file itself attached."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from node.certificates.compact import to_texts
from node.certificates.shortening import CertificateUnavailable, compact_of_file
from node.certificates.verifier import Root, verify
from node.rules.texts.tables import TEXTS
from wallet.paper.codes import draw_code
from wallet.paper.kinds import EXISTENCE, ORDER_STATES, VERDICTS
from wallet.paper.page import ACCENT, BOTTOM, COLOURS, INK, LEFT, QUIET, RIGHT, WIDTH, Page
from wallet.paper.phrases import Language, distance, number, say
from wallet.paper.records import Row, Tone, account, capital, day_of, newest_reading, rows_of, text_of

CODE_MM: Final = 110.0
"""The side of a code that is alone: a camera resolves the modules of the largest one."""
CODES_MM: Final = 84.0
URL_MM: Final = 27.0
Fact = tuple[str, str, Tone]


def paper_of(file: bytes, root: Root, now_ms: int, language: Language, url: str = "") -> bytes:
    """The PDF of a certificate file, which is verified first. It does not depend on `now_ms`: the same certificate,
    root, language and URL give the same bytes. `url`: where a newer certificate can be had, for a small code.

    Raises `InvalidCertificateFile` as `verifier.verify` does."""
    return _Paper(file, verify(file, root, now_ms, accept_old_root=True), root, language, url).output()


class _Paper:
    def __init__(self, file: bytes, verdict: Mapping[str, Any], root: Root, language: Language, url: str) -> None:
        self._file, self._verdict, self._root, self._language, self._url = file, verdict, root, language, url
        self._subject = verdict["vin"] if "order" not in verdict else verdict["order"][:16]
        self._name = f"{self._subject}.bmwc"
        self._page = Page(language, self._say(f"title {verdict['kind']}"), self._subject, verdict["time_ms"])
        self._as_of = self._say("as of", time=self._page.time.strftime("%Y-%m-%d %H:%M:%S"))

    def _say(self, code: str, **values: object) -> str:
        return say(self._language, code, **values)

    def output(self) -> bytes:
        page, height = self._page, self._say("height", height=self._verdict["height"])
        y = self._summary()
        if self._verdict["kind"] == "history":
            self._records(rows_of(self._verdict, self._language))
            y = BOTTOM
        self._verification(page.room(y + 10, 50))
        page.number_pages(f"{self._subject}   {self._as_of}   {height}")
        page.embed_file(
            bytes=self._file, basename=self._name, modification_date=page.time, checksum=True,
            mime_type="application/octet-stream", associated_file_relationship="Source",
            desc=page.running,
        )  # fmt: skip
        return bytes(page.output())

    # --- the first page -----------------------------------------------------------------------------------------
    def _summary(self) -> float:
        """The result is its bottom."""
        page, verdict = self._page, self._verdict
        page.next_page()
        page.block(LEFT, 17, page.running, WIDTH, 12, ACCENT, is_bold=True)
        page.block(LEFT, 23, self._subject, WIDTH, 25, INK, is_bold=True)
        y = self._age(37.5)
        if verdict["kind"] == "order":
            y = page.facts(page.heading(y + 5, self._say("findings")), self._order())
        elif verdict["kind"] == "history":
            y = page.facts(page.heading(y + 5, self._say("findings")), self._findings())
        y = self._proven(page.room(y + 5, 52))
        return page.facts(page.heading(page.room(y + 4, 40), self._say("trust")), self._trust(), size=8)

    def _age(self, y: float) -> float:
        """The box that says of what time the certificate is: the first thing to know. The result is its bottom."""
        page, told = self._page, f"{self._say('newer')}: {self._url}"
        width = WIDTH - 10 if not self._url else WIDTH - URL_MM - 12
        height = 13.5 + page.height(self._say("age"), width, 8.6)
        if self._url:
            height = max(URL_MM + 3, height + 1 + page.height(told, width, 7))
        page.box(LEFT, y, WIDTH, height)
        page.block(LEFT + 5, y + 3.4, self._as_of, WIDTH, 13, INK, is_bold=True)
        below = page.block(LEFT + 5, y + 10.6, self._say("age"), width, 8.6)
        if self._url:
            left = RIGHT - URL_MM - 1.5
            draw_code(page, self._url, left, y + 1.5, URL_MM)
            page.link(left, y + 1.5, URL_MM, URL_MM, self._url)
            page.block(LEFT + 5, below + 1, told, width, 7, QUIET)
        return y + height

    def _findings(self) -> list[Fact]:
        car, language, records = self._verdict["vehicle"], self._language, self._verdict["records"]
        origin = self._text("vehicle_origins", car["origin"])
        if car["grade"]:
            origin += f" – {car['grade']}: {self._text('import_grades', car['grade'])}"
        existence = capital(text_of(EXISTENCE, car["existence"], language))
        is_gone = car["existence"] in ("total_loss", "scrapped", "voided")
        marked = [str(record["sequence"]) for record in records if record.get("is_marked")]
        brands = [
            f"{self._text('brands', code)} – {self._text('brand_states', state)}" for code, state in car["brands"]
        ]
        recalls = [f"{campaign} – {self._text('recall_classes', kind)}"
                   for campaign, kind in (recall.rsplit(" ", 1) for recall in car["recalls"])]  # fmt: skip
        is_branded = any(state != "annulled" for _, state in car["brands"])
        return [
            (self._say("model"), car["model"], "plain"),
            (self._say("existence"), existence, "bad" if is_gone else "plain"),
            (self._say("origin"), capital(origin), "plain"),
            (self._say("holder"), account(bytes.fromhex(car["holder"])), "plain"),
            self._odometer(car["verdict"], bool(marked)),
            (self._say("newest"), self._newest_reading(), "plain"),
            self._listed("flags", [self._text("stop_flags", code) for code in car["flags"]], "bad"),
            self._listed("brands", brands, "warn" if is_branded else "plain"),
            self._listed("recalls", recalls, "warn"),
            self._listed("alerts", [self._text("alerts", code) for code in car["alerts"]], "bad"),
            (self._say("accidents"), number(language, car["accidents"]), "warn" if car["accidents"] else "good"),
            (self._say("transfers"), number(language, car["transfers"]), "plain"),
            (self._say("fraud"), self._say("fraud some", records=_first(marked)), "bad") if marked
            else (self._say("fraud"), self._say("fraud none"), "good"),
        ]  # fmt: skip

    def _text(self, table: str, code: str) -> str:
        return text_of(TEXTS[table], code, self._language)

    def _odometer(self, verdict: str, is_doubtful: bool) -> Fact:
        """The odometer's verdict. `is_doubtful`: an author of a record was revoked for fraud since it was computed."""
        text = capital(text_of(VERDICTS, verdict, self._language))
        if is_doubtful:
            return self._say("odometer"), f"{text}\n{self._say('doubtful')}", "warn"
        tones: dict[str, Tone] = {"LOGICAL": "good", "NO_VERDICT": "plain", "CONTESTED": "warn"}
        return self._say("odometer"), text, tones.get(verdict, "bad")

    def _newest_reading(self) -> str:
        reading = newest_reading(self._verdict)
        if reading is None:
            return self._say("none")
        return f"{distance(self._language, reading[0], reading[1])} ({day_of(reading[2])})"

    def _listed(self, name: str, values: list[str], tone: Tone) -> Fact:
        """The values, a line each, or that there are none."""
        if not values:
            return self._say(name), self._say("none"), "good"
        return self._say(name), "\n".join(map(capital, values)), tone

    def _order(self) -> list[Fact]:
        order = self._verdict
        state = capital(text_of(ORDER_STATES, order["order_status"], self._language))
        facts: list[Fact] = [
            (self._say("order"), order["order"], "plain"),
            ("VIN", order["vin"] or self._say("none"), "plain"),
            (self._say("order state"), state, "plain"),
            (self._say("seller"), account(bytes.fromhex(order["seller"])), "plain"),
            (self._say("buyer"), account(bytes.fromhex(order["buyer"])), "plain"),
            (self._say("payments"), "\n".join(order["payments"]) or self._say("none"), "plain"),
        ]
        if order["cause"]:
            facts.insert(3, (self._say("cause"), capital(self._text("cancel_reasons", order["cause"])), "plain"))
        return facts

    def _proven(self, y: float) -> float:
        """What is proven and what is not, side by side. The result is the bottom."""
        page, verdict, said = self._page, self._verdict, self._say
        match verdict["kind"]:
            case "history":
                withheld = verdict["counts"]["redacted"] + verdict["counts"]["hidden"]
                proven = [said("complete", count=len(verdict["records"])), said("state")]
                unproven = [said("unsubmitted"), said("truth")]
                if withheld:
                    proven.insert(1, said("withheld", count=withheld))
                    unproven.append(said("unseen"))
            case "absence":
                proven, unproven = [said("absent", vin=verdict["vin"])], [said("absent elsewhere")]
            case _:
                proven, unproven = [said("order proven", count=len(verdict["payments"]))], list[str]()
        unproven += [said("after"), said("print")]
        middle, width = LEFT + WIDTH / 2 + 3, WIDTH / 2 - 3
        top = page.heading(y, self._say("proven"))
        page.heading(y, self._say("unproven"), middle)
        left = page.bullets(LEFT, top, proven, width)
        return max(left, page.bullets(middle, top, unproven, width))

    def _trust(self) -> list[Fact]:
        trust, file = self._verdict["trust"], self._file
        root = "root height" if trust["root_height"] else "root genesis"
        size = self._say("file size", name=self._name, size=number(self._language, len(file)))
        return [
            (
                self._say("signed"),
                self._say("signed by", power=trust["signed_power"], total=trust["total_power"]),
                "plain",
            ),
            (self._say("root"), self._say(root, height=trust["root_height"], links=trust["links"]), "plain"),
            (self._say("chain"), self._root.genesis_hash.hex(), "plain"),
            (self._say("block"), f"{self._verdict['height']}  {self._verdict['block_id']}", "plain"),
            (self._say("file"), f"{size}\nSHA-256 {sha256(file).hexdigest()}", "plain"),
        ]

    # --- the records ----------------------------------------------------------------------------------------------
    def _records(self, rows: list[Row]) -> None:
        page, y, width = self._page, BOTTOM, 72.0
        for row in rows:
            colour = INK if row.day else QUIET
            lines = [(row.name, 8.6, colour, bool(row.day))]
            lines += [(text, 7.8, COLOURS[tone], tone == "bad") for text, tone in row.notes]
            height = sum(page.height(text, width, size, is_bold=is_bold) for text, size, _, is_bold in lines)
            if y + max(height, page.height(row.author, 40, 8.6)) + 2.6 > BOTTOM:
                y = self._columns()
            top = y + 1.3
            page.use(8.6, QUIET)
            page.put(LEFT, top, row.sequence, width=8, align="R")
            page.use(8.6)
            page.put(LEFT + 12, top, row.day)
            page.put(LEFT, top, row.distance, width=WIDTH, align="R")
            beside, y = page.block(LEFT + 108, top, row.author, 40, 8.6), top
            for text, size, colour, is_bold in lines:
                y = page.block(LEFT + 34, y, text, width, size, colour, is_bold=is_bold)
            y = max(y, beside) + 1.3
            page.rule(y)

    def _columns(self) -> float:
        """Begin a page of the table. The result is where its rows begin."""
        page = self._page
        y = page.heading(page.next_page(), self._say("timeline")) + 1
        page.use(8, QUIET, is_bold=True)
        page.put(LEFT, y, "#", width=8, align="R")
        page.put(LEFT + 12, y, self._say("column day"))
        page.put(LEFT + 34, y, self._say("column record"))
        page.put(LEFT + 108, y, self._say("column author"))
        page.put(LEFT, y, self._say("column distance"), width=WIDTH, align="R")
        page.rule(y + 5, ACCENT, 0.4)
        return y + 5

    # --- the last page --------------------------------------------------------------------------------------------
    def _verification(self, y: float) -> None:
        page = self._page
        y = page.heading(y, self._say("verify")) + 1
        texts = self._codes()
        steps = ["scan" if texts else "take", "genesis", "command"]
        for place, step in enumerate(steps, 1):
            page.use(9, ACCENT, is_bold=True)
            page.put(LEFT, y, str(place))
            y = page.block(LEFT + 6, y, self._say(step, name=self._name), WIDTH - 6, 9) + 1.2
        page.box(LEFT + 6, y + 0.5, WIDTH - 6, 8)
        page.use(8.4)
        page.put(LEFT + 9, y + 2.4, f"bmw-audit verify-certificate {self._name} --genesis genesis.json")
        y += 13
        if self._verdict["kind"] != "history":
            return
        y = page.block(LEFT, y, self._say("pins" if texts else "no code"), WIDTH, 8.6, QUIET) + 2
        for place, text in enumerate(texts):
            if len(texts) == 1:
                draw_code(page, text, LEFT + (WIDTH - CODE_MM) / 2, y, CODE_MM)
                continue
            left, top = LEFT + place % 2 * (WIDTH - CODES_MM), y + place // 2 * (CODES_MM + 5)
            draw_code(page, text, left, top, CODES_MM)
            page.use(8, QUIET)
            label = self._say("code", number=place + 1, count=len(texts))
            page.put(left, top + CODES_MM - 1, label, width=CODES_MM, align="C")

    def _codes(self) -> tuple[str, ...]:
        """The texts of the codes; none where the certificate has no compact form."""
        if self._verdict["kind"] != "history":
            return ()
        try:
            return to_texts(compact_of_file(self._file, self._root))
        except (CertificateUnavailable, ValueError):
            return ()


def _first(sequences: list[str]) -> str:
    """At most twelve of the sequences."""
    return ", ".join(sequences[:12]) + (", ..." if len(sequences) > 12 else "")
