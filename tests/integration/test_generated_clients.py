"""The usual generators make typed clients from /openapi.json, and those work with a real node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.client_tools import TOOLS, client_tools, node_js, python_of_clients
from support.processes import Fleet, running_network

from node.cli.local_network import LocalNetwork
from node.ledger.kinds import fields_of
from node.txtypes.envelope import decode_signed_tx
from node.txtypes.registry import TYPES

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ROOT / "tests" / "support" / "clients"

pytestmark = [pytest.mark.network, pytest.mark.slow]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalNetwork]:
    client_tools()
    with running_network(tmp_path_factory.mktemp("net"), 1) as started:
        yield started


@pytest.fixture
def document(network: LocalNetwork, tmp_path: Path) -> Path:
    """The node's own document, in a file."""
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(network.nodes[0].get("/openapi.json")))
    return path


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """The output of a program, which must succeed."""
    path = os.pathsep.join([str(TOOLS / "bin"), str(TOOLS / "python" / "bin"), os.environ["PATH"]])
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=os.environ | {"PATH": path} | environment, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def a_birth(network: LocalNetwork, tag: str) -> list[str]:
    """URL, signed transaction, txid, VIN: the arguments of both programs."""
    node = network.nodes[0]
    genesis = bytes.fromhex(node.get("/v1/status")["genesis_hash"])
    fleet = Fleet(genesis, tag)
    (raw,) = fleet.births(1)
    return [node.url, raw.hex(), decode_signed_tx(raw, genesis).txid.hex(), fleet.vin(0)]


def test_typescript_types_compile_strictly_and_work(network: LocalNetwork, document: Path, tmp_path: Path) -> None:
    generator = TOOLS / "node_modules" / "openapi-typescript" / "bin" / "cli.js"
    run(node_js(), generator, document, "-o", tmp_path / "api.d.ts", cwd=tmp_path)
    for name in ("use.ts", "tsconfig.json"):
        shutil.copy(CLIENTS / name, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "node_modules").symlink_to(TOOLS / "node_modules")

    run(node_js(), TOOLS / "node_modules" / "typescript" / "bin" / "tsc", "-p", tmp_path, cwd=tmp_path)
    assert "the types hold" in run(node_js(), tmp_path / "use.js", *a_birth(network, "T"), cwd=tmp_path)
    types = (tmp_path / "api.d.ts").read_text()
    untyped = [line for line in types.splitlines() if line.strip().endswith(": unknown;") and "[" not in line]
    assert untyped == []


def test_a_python_client_is_generated_without_a_warning_and_works(
    network: LocalNetwork, document: Path, tmp_path: Path
) -> None:
    settings = ROOT / "scripts" / "clients" / "openapi-python-client.yaml"
    run(
        TOOLS / "python" / "bin" / "openapi-python-client", "generate", "--fail-on-warning", "--path", document,
        "--config", settings, "--output-path", tmp_path / "client", cwd=tmp_path,
    )  # fmt: skip

    assert ["vehicle_chain_client"] == [path.name for path in (tmp_path / "client").iterdir() if path.is_dir()
                                        and not path.name.startswith(".")]  # fmt: skip
    program = CLIENTS / "use_generated.py"
    output = run(
        python_of_clients(), program, *a_birth(network, "P"), cwd=tmp_path, PYTHONPATH=str(tmp_path / "client")
    )
    assert "the client holds" in output


def test_the_page_has_a_form_for_every_type_whose_example_encodes_and_is_checked(
    network: LocalNetwork, tmp_path: Path
) -> None:
    """In jsdom, against the node: the first line of an answer is the call, the second its HTTP status."""
    library = (TOOLS / "node_modules" / "jsdom" / "lib" / "api.js").as_uri()
    forms = json.loads(run(node_js(), CLIENTS / "fill_docs.mjs", network.nodes[0].url, library, cwd=tmp_path))

    assert sorted(forms) == sorted(TYPES)
    for tag, form in forms.items():
        assert ["sender", *(field.json_name for field in fields_of(TYPES[tag]))] == form["fields"]
        for button in ("Encode", "Check"):
            call, status, *_ = form[button].split("\n")
            assert f"POST /v1/transactions/{button.lower()}" == call
            assert status.startswith("200 application/json"), form[button]
        assert "event_in_future" not in form["Check"], tag
        assert "transaction_expired" not in form["Check"], tag
