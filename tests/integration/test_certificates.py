"""Certificates as their users get them: over HTTP, by `bmw-wallet certificate`, verified by `bmw-audit` offline."""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from support.backend import SingleNode, serving
from support.chain import Chain
from support.http import get, over_http
from support.life import VIN, Life
from support.papers import attached
from support.stages import at
from support.stores import life_chain
from support.wallet_node import HomeWallet, recent_chain, wallet_node

from node.certificates.build import Certificates, packed
from node.certificates.compact import from_texts, verify_compact
from node.certificates.roots import checkpoint_json, root_of_checkpoint, root_of_genesis
from node.certificates.verifier import verify
from node.chain.genesis import genesis_to_json
from node.crypto.keyfile import node_key_file
from node.crypto.signing import PrivateKey

pytestmark = pytest.mark.slow
UNBORN = "WBA8E9G50GNU99999"


async def download(http, path: str) -> bytes:
    async with http.get(path) as answer:
        assert 200 == answer.status, await answer.text()
        assert answer.headers["X-Chain-Height"].isdecimal()
        return await answer.read()


@over_http
async def test_certificates_over_http_prove_themselves() -> None:
    life = at("handed_over")
    root, now = root_of_genesis(life.chain.genesis), life.chain.now
    async with serving(SingleNode(life.chain)) as (_, _, http):
        path = f"/v1/vehicles/{VIN}/certificate"
        whole = verify(await download(http, path), root, now)
        query = "?redact=0,2-3&hide=1&members=true&odometer=true"
        withheld = verify(await download(http, path + query), root, now)
        assert {"whole": 2, "redacted": 3, "hidden": 1} == withheld["counts"]
        assert [entry["sequence"] for entry in whole["records"]] == [entry["sequence"] for entry in withheld["records"]]
        assert {"whole": 0, "redacted": 0, "hidden": 6} == verify(await download(http, path + "?hide=all"), root, now)[
            "counts"
        ]
        codes = (await download(http, path + "?form=compact")).decode().splitlines()
        assert whole["vehicle"] == verify_compact(from_texts(codes), root, now)["vehicle"]
        assert UNBORN == verify(await download(http, f"/v1/absence/{UNBORN}"), root, now)["vin"]
        order = verify(await download(http, f"/v1/orders/{life.order.hex()}/certificate"), root, now)
        assert "completed" == order["order_status"]
        for wrong, status, code in (
            (f"/v1/vehicles/{UNBORN}/certificate", 404, "vehicle_unknown"),
            (f"/v1/absence/{VIN}", 409, "vehicle_exists"),
            (f"/v1/orders/{bytes(32).hex()}/certificate", 404, "order_unknown"),
            *((f"{path}?{query}", 400, "malformed") for query in ("redact=x", f"hide={'1,' * 100}1", "form=paper")),
        ):  # fmt: skip
            assert code == (await get(http, wrong, status))["code"], wrong
    async with serving(SingleNode(Chain())) as (_, _, http):
        assert "certificate_unavailable" == (await get(http, f"/v1/absence/{UNBORN}", 409))["code"]


@pytest.fixture(scope="module")
def downloaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate that the wallet has downloaded, its codes, the genesis document and a checkpoint."""
    folder = tmp_path_factory.mktemp("certificates")
    life = Life(recent_chain()).to("handed_over")
    with wallet_node(life.chain) as node:
        wallet = HomeWallet(folder, node)
        done = wallet("certificate", VIN, "-o", str(folder / "car.bmwc"), "--redact", "0")
        assert 0 == done.code and "complete for what was submitted" in done.out, done.err
        done = wallet("certificate", UNBORN, "-o", str(folder / "none.bmwc"), "--absence", "--json")
        assert "absence" == done.json["kind"]
        refused = wallet("certificate", UNBORN, "-o", str(folder / "never.bmwc"))
        assert 0 != refused.code and UNBORN in refused.err and not (folder / "never.bmwc").exists()
        paper = wallet(
            "certificate", VIN, "-o", str(folder / "car.pdf"), "--language", "zh", "--url", "https://c.example"
        )
        assert 0 == paper.code and "complete for what was submitted" in paper.out, paper.err
        for wrong in (
            ("car.pdf", "--compact"),
            ("car.bmwc", "--language", "de"),
            ("car.pdf", "--url", "ftp://c.example"),
        ):
            refused = wallet("certificate", VIN, "-o", str(folder / "wrong" / wrong[0]), *wrong[1:])
            assert 2 == refused.code and not (folder / "wrong").exists(), refused.err
        codes = wallet("certificate", VIN, "-o", str(folder / "codes.txt"), "--compact")
        assert 0 == codes.code and (folder / "codes.txt").read_text().startswith("BMW1:"), codes.err
    (folder / "genesis.json").write_text(genesis_to_json(life.chain.genesis))
    (folder / "checkpoint.json").write_text(checkpoint_json(root_of_genesis(life.chain.genesis), []))
    return folder


def verified(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "node.cli.audit", "verify-certificate", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def test_a_stranger_verifies_the_file_with_the_genesis_document_alone(downloaded: Path) -> None:
    done = verified(downloaded, "car.bmwc", "--genesis", "genesis.json")
    assert 0 == done.returncode, done.stderr
    assert done.stdout.startswith("age") and "complete for what was submitted to this chain" in done.stdout
    done = verified(downloaded, "codes.txt", "--genesis", "genesis.json", "--json")
    assert (0, "compact") == (done.returncode, json.loads(done.stdout)["kind"])
    done = verified(downloaded, "none.bmwc", "--checkpoint", "checkpoint.json", "--json")
    assert (0, UNBORN) == (done.returncode, json.loads(done.stdout)["vin"])


def test_a_stranger_verifies_what_is_attached_to_the_paper(downloaded: Path) -> None:
    paper = (downloaded / "car.pdf").read_bytes()
    name, file = attached(paper)
    (downloaded / name).write_bytes(file)
    assert b"/Lang (zh-CN)" in paper and b"(https://c.example)" in paper and b"127.0.0.1" not in paper
    done = verified(downloaded, name, "--genesis", "genesis.json")
    assert 0 == done.returncode and VIN in done.stdout, done.stderr


def test_what_proves_nothing_ends_with_exit_code_1_and_a_stable_code(downloaded: Path, tmp_path: Path) -> None:
    raw = (downloaded / "car.bmwc").read_bytes()
    (downloaded / "broken.bmwc").write_bytes(raw[:-1])
    (downloaded / "other.json").write_text(genesis_to_json(Chain().genesis))
    (downloaded / "witnesses.json").write_text(json.dumps({"needed": 1, "keys": ["00" * 32]}))
    for code, *arguments in (
        ("certificate_malformed", "broken.bmwc", "--genesis", "genesis.json"),
        ("wrong_chain", "car.bmwc", "--genesis", "other.json", "--accept-old-root"),
        ("witness_missing", "car.bmwc", "--genesis", "genesis.json", "--witnesses", "witnesses.json"),
        ("certificate_malformed", "car.bmwc", "--checkpoint", "genesis.json"),
    ):
        done = verified(downloaded, *arguments)
        assert 1 == done.returncode and code in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert 2 == verified(downloaded, "car.bmwc").returncode
    assert 3 == verified(downloaded, "nothing.bmwc", "--genesis", "genesis.json").returncode


def test_an_auditor_publishes_a_checkpoint_from_which_certificates_are_verified(tmp_path: Path) -> None:
    chain = life_chain(tmp_path / "node")
    (tmp_path / "genesis.json").write_text(genesis_to_json(chain.genesis))
    key = PrivateKey(sha256(b"an auditor").digest())
    (tmp_path / "auditor.json").write_bytes(node_key_file(key))
    makes = Certificates(chain.genesis, chain.store, chain.store.proof)
    (tmp_path / "car.bmwc").write_bytes(packed(makes.history(VIN, lambda _: "whole") or b""))
    chain.store.kv.close()
    command = [sys.executable, "-m", "node.cli.audit", "checkpoint", "checkpoint.json", "--store", "node", "--genesis",
               "genesis.json", "--to", "3", "--key", "auditor.json", "--name", "auditor-1"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert 0 == done.returncode, done.stderr
    root = root_of_checkpoint((tmp_path / "checkpoint.json").read_bytes(), frozenset({key.public}), 1)
    assert 3 == root.height
    done = verified(tmp_path, "car.bmwc", "--checkpoint", "checkpoint.json", "--accept-old-root", "--json")
    assert (0, 3) == (done.returncode, json.loads(done.stdout)["trust"]["root_height"]), done.stderr
