"""Homes, keys and settings by `bmw-node`; and everything it must refuse to start with."""

from __future__ import annotations

import json
import socket
import stat
import tomllib
from pathlib import Path

import pytest
from support.chain import dev_test_genesis
from support.commands import process, run
from support.stores import fingerprint

from node.chain.dev_genesis import dev_genesis
from node.chain.genesis import genesis_hash, genesis_to_json, parse_genesis
from node.cli.init import new_keys, write_home
from node.crypto.addresses import address_of, from_text
from node.crypto.signing import PrivateKey, is_signature
from node.daemon.config import SETTINGS
from node.daemon.home import Home
from node.replica.signer import NO_PROMISE, LocalSigner
from node.storage.leveldb import LevelStore
from node.storage.safety_store import SafetyFile
from node.txtypes.chain.validator_set import possession_bytes

GENESIS = genesis_to_json(dev_genesis())


@pytest.fixture
def genesis_file(tmp_path: Path) -> Path:
    path = tmp_path / "given.json"
    path.write_text(GENESIS)
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """With fresh keys, the development genesis, and ports that nobody has."""
    path = tmp_path / "home"
    ports = {"p2p.host": "127.0.0.1", "p2p.port": free_port(), "rpc.port": free_port(), "node.verify_workers": 0}
    write_home(path, dev_genesis(), new_keys(), ports)
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- init ----------------------------------------------------------------------------------------------
def test_a_development_genesis_is_refused_before_any_peer_hears_of_the_node(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as peer:
        peer.setblocking(False)
        arguments = "--home", home, "--peer", f"127.0.0.1:{peer.getsockname()[1]}"
        run("bmw-node", "start", *arguments).refused(3, "public development keys", "start with --dev")
        with pytest.raises(BlockingIOError):
            peer.accept()
    assert not Home(home).store.exists()


def test_init_makes_three_keys_for_their_owner_alone_and_every_setting_commented(
    tmp_path: Path, genesis_file: Path
) -> None:
    home = tmp_path / "new" / "home"
    done = run("bmw-node", "init", home, "--genesis", genesis_file)
    assert 0 == done.code
    assert genesis_hash(dev_genesis()).hex() in done.out
    files = sorted(path for path in (home / "keys").iterdir())
    assert ["account.json", "consensus.json", "node.json"] == [path.name for path in files]
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in files}
    assert 0o700 == stat.S_IMODE(home.stat().st_mode)
    assert 3 == len({Home(home).read_key(purpose).public for purpose in ("account", "consensus", "node")})
    text = (home / "config.toml").read_text()
    assert set(SETTINGS) == set(tomllib.loads(text))
    for section in SETTINGS.values():
        for key, setting in section.items():
            assert f"{key} = " in text and setting.text in text
    assert parse_genesis((home / "genesis.json").read_bytes()) == dev_genesis()
    consensus = Home(home).read_key("consensus")
    assert not LocalSigner(bytes(20), consensus, SafetyFile(Home(home).hard_state), bytes(32)).was_missing


def test_a_follower_has_a_node_key_and_nothing_to_sign_with(tmp_path: Path, genesis_file: Path) -> None:
    home = Home(tmp_path / "follower")
    done = run("bmw-node", "init", home.path, "--genesis", genesis_file, "--follower")
    assert (0, True) == (done.code, "p2p.peers" in done.out)
    assert [home.key_file("node")] == list((home.path / "keys").iterdir())
    assert not home.hard_state.exists()
    shown = run("bmw-node", "keys", "--home", home.path, "--json").json
    assert {"node_key": home.read_key("node").public.hex()} == shown


def test_init_twice_changes_nothing(home: Path, genesis_file: Path) -> None:
    before = fingerprint(home)
    run("bmw-node", "init", home, "--genesis", genesis_file).refused(3, str(home), "name another folder")
    assert before == fingerprint(home)


def test_init_where_only_a_key_is_left_never_overwrites_it(home: Path) -> None:
    (home / "config.toml").unlink()
    before = fingerprint(home)
    run("bmw-node", "init", home).refused(3, "consensus.json", "never overwritten")
    assert before == fingerprint(home)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text[: len(text) // 2], ("not JSON",)),
        (lambda text: text.replace('"chain_id"', '"chainid": "", "chain_id"', 1), ("genesis.chainid", "unknown")),
        (lambda text: text.replace('"chain_id"', '"chain_id": "x", "chain_id"', 1), ("chain_id", "twice")),
        (lambda text: text.replace("bmw1", "bmw2", 1), ("genesis.accounts[0]", "bmw2")),
        (lambda text: text.replace('"tree_depth": 18', '"tree_depth": "18"', 1), ("tree_depth",)),
        (lambda text: text.replace('"tree_depth": 18', '"tree_depth": 99', 1), ("tree_depth",)),
        (lambda text: "\xff\xfe", ("genesis",)),
        (lambda text: "[]", ("genesis",)),
    ],
    ids=["cut off", "unknown field", "duplicate field", "bad address", "text for a number", "out of range",
         "not text", "a list"],
)  # fmt: skip
def test_a_bad_genesis_is_named_with_its_place_and_nothing_is_made(tmp_path: Path, change, words) -> None:
    bad = tmp_path / "bad.json"
    bad.write_bytes(change(GENESIS).encode("latin-1"))
    assert bad.read_bytes() != GENESIS.encode()
    run("bmw-node", "init", tmp_path / "home", "--genesis", bad).refused(3, str(bad), *words)
    run("bmw-audit", "replay", "--genesis", bad, "--store", tmp_path).refused(3, str(bad), *words)
    assert not (tmp_path / "home").exists()


def test_init_where_no_folder_can_be_made_leaves_nothing(tmp_path: Path, genesis_file: Path) -> None:
    for place in (genesis_file, genesis_file / "below"):
        run("bmw-node", "init", place).refused(3, str(place), "check the path")
    assert GENESIS == genesis_file.read_text()
    run("bmw-node", "init", tmp_path / "home", "--genesis", tmp_path / "nowhere").refused(3, "nowhere")
    assert [genesis_file] == list(tmp_path.iterdir())


def test_init_on_a_full_disk_leaves_nothing_half_made(tmp_path: Path, genesis_file: Path) -> None:
    for most in (0, 400, 2_000):
        done = process("bmw-node", "init", tmp_path / "home", "--genesis", genesis_file, file_bytes_max=most)
        done.refused(3, str(tmp_path / "home"), "free space")
        assert [genesis_file] == list(tmp_path.iterdir()), most
    assert 0 == process("bmw-node", "init", tmp_path / "home", "--genesis", genesis_file).code


# --- testnet, keys, reset-signing ----------------------------------------------------------------------
def test_testnet_makes_homes_that_know_each_other_and_one_genesis(tmp_path: Path) -> None:
    output = tmp_path / "net"
    hosts = "10.0.0.1,10.0.0.2,10.0.0.3"
    made = run("bmw-node", "testnet", "--validators", 3, "--output", output, "--hosts", hosts, "--json").json
    assert 3 == len(made["homes"])
    genesis = Home(output / made["homes"][0]).read_genesis()
    assert genesis_hash(genesis).hex() == made["genesis_hash"]
    validators = {a.name: a.member.validator for a in genesis.accounts if a.member and a.member.validator}
    for index, name in enumerate(made["homes"]):
        place = Home(output / name)
        assert genesis == place.read_genesis()
        assert validators[name].consensus_key == place.read_key("consensus").public
        settings = tomllib.loads(place.config.read_text())
        others = [host for i, host in enumerate(hosts.split(",")) if i != index]
        assert others == [peer.split(":")[0] for peer in settings["p2p"]["peers"]]
    before = fingerprint(output)
    run("bmw-node", "testnet", "--validators", 3, "--output", output).refused(3, "home already")
    assert before == fingerprint(output)
    run("bmw-node", "testnet", "--validators", 2, "--output", tmp_path / "x", "--hosts", "a,b,c").refused(
        2, "3 hosts for 2 validators"
    )
    assert not (tmp_path / "x").exists()


def test_keys_shows_what_to_hand_in_and_its_proof(home: Path) -> None:
    shown = run("bmw-node", "keys", "--home", home, "--json").json
    account, consensus = (Home(home).read_key(purpose) for purpose in ("account", "consensus"))
    address = address_of(account.public)
    assert (address, consensus.public.hex()) == (from_text(shown["address"]), shown["consensus_key"])
    message = possession_bytes(genesis_hash(dev_genesis()), address, consensus.public)
    assert is_signature(consensus.public, message, bytes.fromhex(shown["possession"]))
    seeds = {Home(home).read_key(purpose).seed().hex() for purpose in ("account", "consensus", "node")}
    assert not any(seed in json.dumps(shown) for seed in seeds)
    assert shown["address"] in run("bmw-node", "keys", BMW_NODE_HOME=str(home)).out


def test_reset_signing_asks_before_it_takes_anybodys_word(home: Path) -> None:
    state = Home(home).hard_state
    before = state.read_bytes()
    done = run("bmw-node", "reset-signing", "--home", home, "--height", 7, stdin="n\n")
    assert (1, before) == (done.code, state.read_bytes())
    assert 2 == run("bmw-node", "reset-signing", "--home", home, "--height", 0, "--yes").code
    done = run("bmw-node", "reset-signing", "--home", home, "--height", 7, "--yes")
    assert 0 == done.code and "7" in done.out
    assert before != state.read_bytes()
    run("bmw-node", "reset-signing", "--home", home / "none", "--height", 7, "--yes").refused(3, "bmw-node init")
    assert 0 == run("bmw-node", "reset-signing", "--home", home, "--height", 7, "--yes").code, "nothing is signed at 7"


def test_reset_signing_never_lowers_a_state_that_is_whole(home: Path) -> None:
    store = SafetyFile(Home(home).hard_state)
    key = PrivateKey(bytes(range(32)))
    signer = LocalSigner(bytes(20), key, store, bytes(32))
    signer.sign_vote("prevote", 9, 0, b"", NO_PROMISE)
    before = Home(home).hard_state.read_bytes()
    for height in (1, 9):
        done = run("bmw-node", "reset-signing", "--home", home, "--height", height, "--yes")
        done.refused(3, "height 9", "sign twice")
    assert before == Home(home).hard_state.read_bytes()
    assert 0 == run("bmw-node", "reset-signing", "--home", home, "--height", 10, "--yes").code
    Home(home).hard_state.write_bytes(b"damaged")
    assert 0 == run("bmw-node", "reset-signing", "--home", home, "--height", 5, "--yes").code


# --- start ---------------------------------------------------------------------------------------------
def refused_to_start(home: Path, *words: str, flags: tuple[str, ...] = ("--dev",), code: int = 3, **environment: str):
    """Refused with the words, and the keys are as before."""
    keys = fingerprint(home / "keys") if (home / "keys").exists() else {}
    done = run("bmw-node", "start", "--home", home, *flags, **environment)
    done.refused(code, *words)
    assert keys == (fingerprint(home / "keys") if keys else {})


def test_it_starts_only_in_a_home(tmp_path: Path) -> None:
    refused_to_start(tmp_path, "no node's home", f"bmw-node init {tmp_path}")
    assert 2 == run("bmw-node", "start").code


def test_public_keys_need_the_word_dev(home: Path) -> None:
    refused_to_start(home, "public development keys", "--dev", flags=())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[rpc]\nprot = 5", ("rpc.prot", "nearest known is 'port'")),
        ("[rcp]\nport = 5", ("[rcp]", "nearest known is 'rpc'")),
        ("port = 5", ("port", "section")),
        ("[rpc]\nport = '5'", ("rpc.port", "whole number", "'5'")),
        ("[rpc]\nport = true", ("rpc.port", "whole number")),
        ("[rpc]\nport = -1", ("rpc.port",)),
        ("[rpc]\nport = 70000", ("rpc.port", "65535")),
        ("[p2p]\npeers = ['a']", ("p2p.peers", "'a'", "host:port")),
        ("[p2p]\npeers = 'a:1'", ("p2p.peers", "list")),
        ("[p2p]\nexchange = 1", ("p2p.exchange", "true or false")),
        ("[node]\nvalidator = 'bmw1x'", ("node.validator", "bmw1x")),
        ("[node]\nlog_level = 'loud'", ("node.log_level", "loud")),
        ("[node]\nlog_format = 'xml'", ("node.log_format", "xml")),
        ("[rpc]\ntls_key = 'x'", ("tls_certificate", "together")),
        ("[rpc\nport = 5", ("not TOML", "line 1")),
        ("[rpc]\nport = 5\nport = 6", ("not TOML", "overwrite")),
        ("\xff", ("not TOML",)),
    ],
)
def test_a_bad_config_names_the_file_the_key_and_the_nearest_known(home: Path, line: str, words) -> None:
    (home / "config.toml").write_bytes(line.encode("latin-1"))
    refused_to_start(home, *words)
    assert not (home / "data" / "store").exists()


def test_a_bad_variable_of_the_environment_is_named(home: Path) -> None:
    refused_to_start(home, "BMW_NODE_RPC_PROT", "BMW_NODE_RPC_PORT", BMW_NODE_RPC_PROT="5")
    refused_to_start(home, "BMW_NODE_RPC_PORT", "'x'", BMW_NODE_RPC_PORT="x")
    refused_to_start(home, "BMW_NODE_P2P_EXCHANGE", "true or false", BMW_NODE_P2P_EXCHANGE="perhaps")


def test_a_missing_or_foreign_genesis(home: Path) -> None:
    (home / "genesis.json").rename(home / "away.json")
    refused_to_start(home, "genesis.json", "No such file")
    (home / "genesis.json").write_text(genesis_to_json(dev_test_genesis()))
    store = LevelStore(home / "data" / "store")
    store.write({b"Mgenesis": b"x"}, [])
    store.close()
    refused_to_start(home, "store")


@pytest.mark.slow
@pytest.mark.parametrize("purpose", ["node", "consensus"])
def test_key_files_that_are_readable_by_others_damaged_or_gone(home: Path, purpose: str) -> None:
    """`test_keyfile` damages every part of such a file."""
    path = home / "keys" / f"{purpose}.json"
    path.chmod(0o640)
    refused_to_start(home, str(path), "mode 0640", f"chmod 600 {path}")
    path.chmod(0o600)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    refused_to_start(home, str(path), "backup")
    document = json.loads(whole)
    path.write_text(json.dumps(document | {"public_key": "00" * 32}))
    refused_to_start(home, str(path))
    if purpose == "node":
        path.unlink()
        refused_to_start(home, str(path), "No such file")


def test_a_port_that_is_taken_is_named_and_the_store_is_free_again(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused_to_start(home, f"127.0.0.1:{port}", "rpc port", flags=("--dev", "--rpc-port", str(port)))
        refused_to_start(home, f"127.0.0.1:{port}", "p2p.port", flags=("--dev", "--p2p-port", str(port)))
    LevelStore(home / "data" / "store").close()


def test_a_store_that_another_process_has_is_named_with_its_pid(home: Path) -> None:
    store = LevelStore(home / "data" / "store")
    try:
        holder = (home / "data" / "store" / "HOLDER").read_text()
        refused_to_start(home, "in use", holder, "checkpoint")
        run("bmw-node", "export", "--home", home, home / "x").refused(3, "in use", holder)
        assert not (home / "x").exists()
    finally:
        store.close()


@pytest.mark.parametrize("damaged", [b"", b"garbage", bytes(1_000)], ids=["empty", "garbage", "zeros"])
def test_a_damaged_signing_state_stops_the_start_and_is_not_touched(home: Path, damaged: bytes) -> None:
    state = Home(home).hard_state
    state.write_bytes(damaged)
    refused_to_start(home, str(state), "reset-signing", "no other copy")
    assert damaged == state.read_bytes()


def test_certificates_that_are_not_there(home: Path) -> None:
    refused_to_start(
        home, "/nowhere.pem", BMW_NODE_RPC_TLS_CERTIFICATE="/nowhere.pem", BMW_NODE_RPC_TLS_KEY="/nowhere.key"
    )


def test_a_full_disk_at_the_start_is_said(home: Path) -> None:
    done = process("bmw-node", "start", "--home", home, "--dev", file_bytes_max=0)
    assert 3 == done.code
    assert "Traceback" not in done.err
    assert "store" in done.err.splitlines()[-1]


# --- questions to a node -------------------------------------------------------------------------------
@pytest.mark.parametrize("command", ["status", "peers", "validators"])
def test_a_node_that_does_not_answer_is_exit_code_3(command: str, home: Path) -> None:
    port = free_port()
    run("bmw-node", command, "--node", f"http://127.0.0.1:{port}").refused(3, f"127.0.0.1:{port}", "--node")
    run("bmw-node", command, BMW_NODE_URL=f"http://127.0.0.1:{port}").refused(3, f"127.0.0.1:{port}")
    own = tomllib.loads((home / "config.toml").read_text())["rpc"]["port"]
    run("bmw-node", command, "--home", home).refused(3, f"127.0.0.1:{own}")
    run("bmw-node", command, "--home", home / "none").refused(3, "no node's home")


@pytest.mark.parametrize("address", ["nonsense", "file:///etc/hostname", "ftp://127.0.0.1"])
def test_an_address_that_is_none_is_wrong_usage(address: str) -> None:
    run("bmw-node", "status", "--node", address).refused(2, address, "http://")
