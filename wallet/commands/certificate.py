"""`bmw-wallet certificate`: a car's history as a file that proves itself to anybody."""

from __future__ import annotations

import time
from pathlib import Path

import click

from node.certificates.canonical import InvalidCertificateFile
from node.certificates.compact import from_texts, verify_compact
from node.certificates.roots import root_of_genesis
from node.certificates.verifier import verify
from node.certificates.words import facts_of
from node.errors import InvalidProof
from wallet.commands.read import parsed_vin
from wallet.commands.shared import example, with_session
from wallet.files import write_file
from wallet.session import Session
from wallet.show import echo_facts


@click.command("certificate", epilog=example("bmw-wallet certificate WBA8E9G50GNU12345 -o car.bmwc"))
@click.argument("vin", type=parsed_vin)
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FILE", help="where to write it"
)
@click.option("--redact", default="", metavar="RECORDS", help='records without their content: "all", or such as 3,7-9')
@click.option("--hide", default="", metavar="RECORDS", help="records of which only the digest is given")
@click.option("--members", is_flag=True, help="with the proven values of the authors that are members")
@click.option("--odometer", is_flag=True, help="with the proven odometer")
@click.option("--compact", is_flag=True, help="the text of codes for paper: the car's state, not its records")
@click.option("--absence", is_flag=True, help="prove that there is no car with this VIN")
@with_session
def certificate(
    session: Session, vin: str, output: Path, redact: str, hide: str, members: bool, odometer: bool, compact: bool,
    absence: bool,
) -> None:  # fmt: skip
    """Download the certificate of a car and verify it from genesis before it is written.

    The file proves the car's complete history, for what was submitted to this chain, to anybody with the genesis file:
    `bmw-audit verify-certificate FILE --genesis genesis.json`, or a browser.
    """
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
    write_file(output, file)
    echo_facts(verdict if session.wants_json else dict(facts_of(verdict)), session.wants_json)
