"""`bmw-wallet key import --node-key`: the account key that `bmw-node init` made, for whoever joins a network."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from node.crypto.addresses import address_of, to_text
from node.crypto.keyfile import node_key_file
from node.crypto.signing import PrivateKey
from wallet.cli import main

KEY = PrivateKey(bytes(range(32)))


def _import(home: Path, file: Path) -> tuple[int, str]:
    done = CliRunner(env={"BMW_WALLET_PASSPHRASE": "a long passphrase"}).invoke(
        main, ["key", "import", "my-node", "--node-key", str(file), "--home", str(home), "--json"]
    )
    return done.exit_code, done.output


def test_the_account_key_of_a_node_is_taken_in(tmp_path: Path) -> None:
    file = tmp_path / "account.json"
    file.write_bytes(node_key_file(KEY))

    code, output = _import(tmp_path / "wallet", file)

    assert code == 0
    assert json.loads(output)["address"] == to_text(address_of(KEY.public))


def test_another_file_is_refused_with_the_mend(tmp_path: Path) -> None:
    file = tmp_path / "account.json"
    file.write_text('{"version": 1}')

    code, output = _import(tmp_path / "wallet", file)

    assert code == 3
    assert "keys/account.json" in output
    assert not list((tmp_path / "wallet").rglob("my-node.json"))
