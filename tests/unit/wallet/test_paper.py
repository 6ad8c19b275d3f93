"""Certificates on paper: the PDF, its bytes, its codes as a scanner reads them, and its texts in three languages."""

from __future__ import annotations

import re
import string
import subprocess
import sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pypdfium2
import pytest
import zxingcpp
from msgspec.structs import replace
from PIL import Image, ImageFilter
from support.chain import DAY_MS
from support.disputing import answered, closed, decided, disputed, newest, passed, serviced
from support.life import VIN, Life, flag, km, many_cars, read
from support.papers import FORMS, attached, eventful_life, history_file
from support.stages import at, force

from node.certificates.build import Certificates, packed
from node.certificates.canonical import InvalidCertificateFile
from node.certificates.compact import from_texts, to_texts, verify_compact
from node.certificates.roots import root_of_genesis
from node.certificates.shortening import CertificateUnavailable, compact_of_file
from node.certificates.verifier import Root, verify
from node.errors import OperatorError
from node.rules.brands import BRANDS
from node.rules.stop_flags import STOP_FLAGS
from node.txtypes.registry import TYPES
from node.txtypes.vehicle.brands import Brand
from node.txtypes.vehicle.vehicle import VEHICLE
from wallet.commands.certificate import _paper, _public
from wallet.paper.document import paper_of
from wallet.paper.kinds import BECAME, EXISTENCE, KINDS, ORDER_STATES, VERDICTS
from wallet.paper.phrases import PHRASES, Language

ROOT = Path(__file__).resolve().parents[3]
LANGUAGES: tuple[Language, ...] = ("en", "de", "zh")
URL = f"https://chain.example/v1/vehicles/{VIN}/certificate"
UNBORN = "WBA8E9G50GNU99999"


@pytest.fixture(scope="module")
def life() -> Life:
    return eventful_life()


@pytest.fixture(scope="module")
def papers(life: Life) -> dict[str, bytes]:
    file, root = history_file(life.chain, FORMS)
    return {language: paper_of(file, root, life.chain.now, language, URL) for language in LANGUAGES}


def texts_of(paper: bytes) -> list[str]:
    """The text of each page, without its line ends."""
    document = pypdfium2.PdfDocument(paper)
    return [page.get_textpage().get_text_bounded().replace("\r\n", " ") for page in document]


def scanned(paper: bytes, pages: slice = slice(None)) -> list[str]:
    """The texts of the codes on the pages, printed at 300 dpi, laid askew on a scanner of 240 dpi that blurs."""
    found = []
    for page in list(pypdfium2.PdfDocument(paper))[pages]:
        printed = page.render(scale=300 / 72).to_pil().convert("L")
        askew = printed.rotate(2.5, resample=Image.Resampling.BICUBIC, expand=True, fillcolor=255)
        blurred = askew.filter(ImageFilter.GaussianBlur(1.6))
        small = blurred.resize((round(blurred.width * 0.8), round(blurred.height * 0.8)), Image.Resampling.BILINEAR)
        found += [code.text for code in zxingcpp.read_barcodes(small)]
    return found


# --- bytes ----------------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_the_same_certificate_gives_the_same_bytes_in_any_process_at_any_time(
    life: Life, papers: dict[str, bytes], tmp_path: Path
) -> None:
    file, root = history_file(life.chain, FORMS)
    (tmp_path / "car.bmwc").write_bytes(file)
    program = (
        "import sys, pathlib, hashlib; from node.certificates.verifier import Root\n"
        "from wallet.paper.document import paper_of\n"
        f"root = {root!r}\n"
        "file = pathlib.Path('car.bmwc').read_bytes()\n"
        f"paper = paper_of(file, root, {life.chain.now + 90 * DAY_MS}, 'zh', {URL!r})\n"
        "print(hashlib.sha256(paper).hexdigest())"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True,
            env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed, "TZ": f"UTC-{seed}"},
        )  # fmt: skip
        assert sha256(papers["zh"]).hexdigest() == done.stdout.strip()
    assert 3 == len(set(papers.values()))


def test_the_document_is_an_archivable_one_of_the_time_of_the_head(life: Life, papers: dict[str, bytes]) -> None:
    written = f"{datetime.fromtimestamp(life.chain.store.head().time_ms // 1000, UTC).isoformat()}"
    for needed in ("<pdfaid:part>3</pdfaid:part>", f">Vehicle history certificate {VIN}</rdf:li>", "/Lang (en)",
                   f'xmp:CreateDate="{written}"', "/AFRelationship /Source", "/GTS_PDFA1"):  # fmt: skip
        assert needed.encode() in papers["en"]
    for page in pypdfium2.PdfDocument(papers["en"]):
        assert (210, 297) == tuple(round(points / 72 * 25.4) for points in page.get_size())


# --- what proves itself -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_attached_file_verifies(life: Life, papers: dict[str, bytes], language: str) -> None:
    name, file = attached(papers[language])
    expected, root = history_file(life.chain, FORMS)
    assert (f"{VIN}.bmwc", expected) == (name, file)
    found = verify(file, root, life.chain.now, accept_old_root=True)
    assert found["counts"] == {"whole": 11, "redacted": 1, "hidden": 1}
    assert sha256(file).hexdigest() in texts_of(papers[language])[0]


def test_a_scanner_reads_both_codes_and_the_car_verifies(life: Life, papers: dict[str, bytes]) -> None:
    url, code = scanned(papers["de"], slice(0, None, 2))
    file, root = history_file(life.chain)
    assert URL == url
    found = verify_compact(from_texts([code]), root, life.chain.now, accept_old_root=True)
    whole = verify(file, root, life.chain.now, accept_old_root=True)
    assert [whole[name] for name in ("vin", "vehicle", "height", "block_id")] == [
        found[name] for name in ("vin", "vehicle", "height", "block_id")
    ]
    assert found["record_count"] == len(whole["records"])
    makes = Certificates(life.chain.genesis, life.chain.store, life.chain.store.proof)
    assert from_texts([code]) == makes.compact(VIN) == compact_of_file(file, root)


@pytest.mark.slow
def test_a_large_proof_takes_several_codes() -> None:
    chain = many_cars(130, 1)
    vin = "WBA8E9G50GNU00007"
    makes = Certificates(chain.genesis, chain.store, chain.store.proof)
    raw = makes.history(vin, lambda _: "whole")
    assert raw is not None
    file, root = packed(raw), root_of_genesis(chain.genesis)
    texts = to_texts(compact_of_file(file, root))
    assert len(texts) in (2, 3, 4)
    paper = paper_of(file, root, chain.now, "en")
    codes = scanned(paper, slice(-1, None))
    assert sorted(texts) == sorted(codes)
    assert vin == verify_compact(from_texts(codes), root, chain.now)["vin"]
    assert f"Code {len(texts)} of {len(texts)}" in texts_of(paper)[-1]


def test_without_a_compact_form_the_paper_says_so_and_carries_the_file() -> None:
    chain = many_cars(520, 1)
    vin = "WBA8E9G50GNU00007"
    makes = Certificates(chain.genesis, chain.store, chain.store.proof)
    raw = makes.history(vin, lambda _: "whole")
    assert raw is not None
    file, root = packed(raw), root_of_genesis(chain.genesis)
    with pytest.raises(CertificateUnavailable):
        compact_of_file(file, root)
    paper = paper_of(file, root, chain.now, "en")
    assert "There is no code" in texts_of(paper)[-1] and file == attached(paper)[1]
    assert [] == scanned(paper, slice(-1, None))


def test_a_file_that_proves_nothing_is_not_printed(life: Life) -> None:
    file, root = history_file(life.chain)
    other = Root(bytes(32), root.tree_depth, root.height, bytes(32), root.time_ms, root.validators)
    for broken, trusted in ((file[:-1], root), (file, other)):
        with pytest.raises(InvalidCertificateFile):
            paper_of(broken, trusted, life.chain.now, "en")


# --- what it says ---------------------------------------------------------------------------------------------------
def test_the_first_page_has_the_age_first_and_says_what_is_not_proven(papers: dict[str, bytes]) -> None:
    for language, age, complete, forged in (
        ("en", "As of 2027-07-06", "complete for what was submitted to this chain: 13 records", "can be forged"),
        ("de", "Stand 2027-07-06", "was dieser Kette vorgelegt wurde: 13 Einträge", "lässt sich fälschen"),
        ("zh", "截至 2027-07-06", "历史完整：共 13 条记录", "纸张可以伪造"),
    ):
        first = texts_of(papers[language])[0]
        assert 0 < first.index(age) < first.index("330I") < first.index(complete) < first.index(forged)


def test_records_show_what_became_of_them(papers: dict[str, bytes]) -> None:
    for language, redacted, hidden, fraud, annulled, reading in (
        ("en", "Content withheld", "only its digest", "Author revoked for fraud", "Annulled by record 11", "41,300 km"),
        ("de", "Inhalt zurückgehalten", "nur der Hash", "wegen Betrugs ausgeschlossen", "Aufgehoben durch Eintrag 11",
         "41.300 km"),
        ("zh", "内容未公开", "仅显示摘要", "作者因欺诈被撤销", "已撤销，记录 11", "41,300 公里"),
    ):  # fmt: skip
        first, records = texts_of(papers[language])[:2]
        assert 3 == records.count(fraud)
        assert (1, 1, 1) == tuple(map(records.count, (redacted, hidden, annulled)))
        assert reading in records and reading in first and "2027-07-06" in records


def test_a_history_of_200_records_goes_on_over_pages() -> None:
    chain = at("wholesale").chain
    for number in range(198):
        chain.now += 3 * DAY_MS
        author = ("workshop-berlin", "inspector-1", "dealer-munich")[number % 3]
        chain.do(author, read(VIN, km(1_000 + 40 * number), chain.now))
    file, root = history_file(chain)
    pages = texts_of(paper_of(file, root, chain.now, "de"))
    assert 200 == chain.state(VEHICLE, VIN).record_count
    assert all(f"Seite {number} von {len(pages)}" in page for number, page in enumerate(pages, 1))
    rows = [page for page in pages if "Kilometerstand" in page and "Autor" in page and "Einträge" in page][1:]
    assert 195 <= sum(page.count("Ablesung des Kilometerstands") for page in pages) == 198
    assert len(rows) > 3 and "8.880 km" in pages[-2]


@pytest.mark.parametrize("language", LANGUAGES)
def test_absence_and_orders_get_a_page(language: Language) -> None:
    life = at("handed_over")
    makes, root = (
        Certificates(life.chain.genesis, life.chain.store, life.chain.store.proof),
        root_of_genesis(life.chain.genesis),
    )
    for raw, subject in ((makes.absence(UNBORN), UNBORN), (makes.order(life.order), life.order.hex())):
        assert raw is not None
        paper = paper_of(packed(raw), root, life.chain.now, language)
        (page,) = texts_of(paper)
        assert subject in page and packed(raw) == attached(paper)[1]


def test_a_car_with_everything_wrong_is_shown_whole() -> None:
    """As many brands and flags as a car can have do not fit on the first page."""
    life = at("wholesale")
    car = life.chain.state(VEHICLE, VIN)
    brands = tuple(Brand(code, "confirmed", 1, 0, 0) for code in BRANDS)
    flags = tuple(flag(name) for name in STOP_FLAGS)
    force(life.chain, VEHICLE, VIN, replace(car, brands=brands, flags=flags))
    life.chain.produce()
    file, root = history_file(life.chain)
    pages = texts_of(paper_of(file, root, life.chain.now, "en", URL))
    whole = " ".join(pages)
    assert whole.count("– confirmed") == len(BRANDS) and "Identity in doubt" in whole and "How it is trusted" in whole


# --- texts ------------------------------------------------------------------------------------------------------------
def test_every_code_has_a_text() -> None:
    assert set(TYPES) == set(KINDS)
    assert {"LOGICAL", "CONTESTED", "ILLOGICAL", "NO_VERDICT"} == set(VERDICTS)


@pytest.mark.parametrize("table", [KINDS, VERDICTS, EXISTENCE, ORDER_STATES, BECAME, PHRASES])
def test_texts_are_in_three_languages(table: dict[str, tuple[str, str, str]]) -> None:
    for code, texts in table.items():
        en, de, zh = texts
        assert all(text == text.strip() and text for text in texts), code
        assert re.search(r"[一-鿿]", zh) and not re.search(r"[一-鿿]", en + de) and en.isascii(), code
        blanks = [
            sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None) for text in texts
        ]
        assert blanks[0] == blanks[1] == blanks[2], code
    for language in zip(*(table.values()), strict=True):
        assert len(language) - len(set(language)) <= 1


@pytest.mark.parametrize(
    ("ending", "fate"), [("stands", "stands"), ("amended", "to be amended"), ("undecided", "undecided")]
)
def test_what_arbiters_decided_is_written_beside_the_record(ending: str, fate: str) -> None:
    life = at("wholesale")
    dispute = disputed(life, serviced(life))
    answered(life, dispute)
    if ending == "undecided":
        passed(life, 15)
        closed(life, dispute)
    else:
        decided(life, dispute, ending)
    file, root = history_file(life.chain)
    records = texts_of(paper_of(file, root, life.chain.now, "en"))[1]
    place = BECAME[fate].en.format(newest(life.chain))
    assert place[1:] in records


def test_without_the_extra_the_error_says_what_to_install(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("wallet.paper.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fpdf", None)
    file, root = history_file(life.chain)
    with pytest.raises(OperatorError, match=r"extra `paper` .*pip install 'bmw-chain\[paper\]'"):
        _paper(file, root, life.chain.now, "en", "")


@pytest.mark.parametrize(
    ("node", "printed"),
    [
        ("https://node.example", True), ("https://node.example/", True), ("http://8.8.8.8:26700", True),
        ("http://127.0.0.1:26700", False), ("http://10.0.0.1", False), ("http://[::1]:26700", False),
        ("http://localhost:26700", False), ("https://me:secret@node.example", False),
    ],
)  # fmt: skip
def test_only_an_address_that_strangers_reach_is_printed(node: str, printed: bool) -> None:
    assert _public(node, "/v1/absence/X") == (f"{node.rstrip('/')}/v1/absence/X" if printed else "")


def test_the_fonts_have_every_character_that_is_written() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/paper_fonts.py", "--check"], cwd=ROOT, capture_output=True, text=True,
        env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert 0 == done.returncode and 2 == done.stdout.count("characters"), done.stderr
    licence = (ROOT / "wallet" / "paper" / "fonts" / "OFL.txt").read_text()
    assert "SIL OPEN FONT LICENSE Version 1.1" in licence
