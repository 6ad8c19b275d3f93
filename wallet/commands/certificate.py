"""`bmw-wallet certificate`: a car's history as a file that proves itself to anybody."""

from __future__ import annotations

import re
import time
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import click

from node.certificates.canonical import InvalidCertificateFile
from node.certificates.compact import from_texts, verify_compact
from node.certificates.roots import root_of_genesis
from node.certificates.verifier import Root, verify
from node.certificates.words import facts_of
from node.errors import InvalidProof, OperatorError
from wallet.commands.read import parsed_vin
from wallet.commands.shared import example, with_session
from wallet.files import write_file
from wallet.paper.phrases import Language
from wallet.session import Session
from wallet.show import echo_facts

_URL = re.compile(r"https?://[!-~]{1,192}")


@click.command("certificate", epilog=example(
    "bmw-wallet certificate WBA8E9G50GNU12345 -o car.bmwc",
    "bmw-wallet certificate WBA8E9G50GNU12345 -o car.pdf --language de",
))  # fmt: skip
@click.argument("vin", type=parsed_vin)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="where to write it; a name that ends in .pdf is written for paper, with the file attached",
)
@click.option("--redact", default="", metavar="RECORDS", help='records without their content: "all", or such as 3,7-9')
@click.option("--hide", default="", metavar="RECORDS", help="records of which only the digest is given")
@click.option("--members", is_flag=True, help="with the proven values of the authors that are members")
@click.option("--odometer", is_flag=True, help="with the proven odometer")
@click.option("--compact", is_flag=True, help="the text of codes for paper: the car's state, not its records")
@click.option("--absence", is_flag=True, help="prove that there is no car with this VIN")
@click.option("--language", type=click.Choice(("en", "de", "zh")), help="of the PDF; English unless given")
@click.option("--url", callback=lambda _, __, url: _checked(url), metavar="URL", help="where the PDF says that a newer "
              "certificate can be had; the node's address unless given, where it is a public one")  # fmt: skip
@with_session
def certificate(
    session: Session, vin: str, output: Path, redact: str, hide: str, members: bool, odometer: bool, compact: bool,
    absence: bool, language: Language | None, url: str | None,
) -> None:  # fmt: skip
    """Download the certificate of a car and verify it from genesis before it is written.

    The file proves the car's complete history, for what was submitted to this chain, to anybody with the genesis file:
    `bmw-audit verify-certificate FILE --genesis genesis.json`, or a browser.
    """
    is_paper = output.suffix.lower() == ".pdf"
    if is_paper and compact:
        raise click.UsageError("a PDF has the codes already: leave out --compact")
    if not is_paper and (language or url):
        raise click.UsageError("--language and --url are for paper: name a file that ends in .pdf with -o")
    path = f"/v1/absence/{vin}" if absence else f"/v1/vehicles/{vin}/certificate"
    query = {"redact": redact, "hide": hide, "members": str(members).lower(), "odometer": str(odometer).lower()}
    query = {"form": "compact"} if compact else {name: value for name, value in query.items() if value}
    file = session.client.file(path, {} if absence else query)
    root, now_ms = root_of_genesis(session.genesis), time.time_ns() // 1_000_000
    try:
        if compact and not absence:
            texts = file.decode("ascii", "replace").splitlines()
            verdict = verify_compact(from_texts(texts), root, now_ms, accept_old_root=True)
        else:
            verdict = verify(file, root, now_ms, accept_old_root=True)
    except InvalidCertificateFile as error:
        raise InvalidProof(f"the node's certificate proves nothing: {error}") from None
    if verdict["vin"] != vin:
        raise InvalidProof(f"the node's certificate is of {verdict['vin']}: name another node")
    if is_paper:
        url = url or _public(session.client.answered_by, path)
        write_file(output, _paper(file, root, now_ms, language or "en", url))
    else:
        write_file(output, file)
    echo_facts(verdict if session.wants_json else dict(facts_of(verdict)), session.wants_json)


def _paper(file: bytes, root: Root, now_ms: int, language: Language, url: str) -> bytes:
    try:
        from wallet.paper.document import paper_of
    except ImportError as error:
        raise OperatorError(
            f"a PDF needs the extra `paper` ({error}): install it, e.g. pip install 'bmw-chain[paper]'"
        ) from None
    return paper_of(file, root, now_ms, language, url)


def _checked(url: str | None) -> str | None:
    """A URL that fits in a small code and in the fonts."""
    if url is not None and not _URL.fullmatch(url):
        raise click.BadParameter("an address of at most 200 ASCII characters that begins with http:// or https://")
    return url


def _public(node: str, path: str) -> str:
    """The address of a path at a node that strangers can reach; empty for one of this machine or its network."""
    parts = urlsplit(node)
    host = parts.hostname or ""
    try:
        is_public = ip_address(host).is_global
    except ValueError:
        is_public = "." in host
    url = f"{node.rstrip('/')}{path}"
    return url if is_public and parts.username is None and _URL.fullmatch(url) else ""
