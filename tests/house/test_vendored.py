"""Vendored code is what its README says, and nothing in `web/` is fetched from another host."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

WEB = Path(__file__).resolve().parents[2] / "web"
VENDOR = WEB / "vendor"


def test_vendored_files_are_unmodified_and_have_their_licence() -> None:
    text = (VENDOR / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| `([^`]+\.js)` \|.*`([^`]+)` \| `([0-9a-f]{64})` \|$", text, re.M)
    assert {path.name for path in VENDOR.glob("*.js")} == {name for name, _, _ in rows}
    for name, licence, wanted in rows:
        assert sha256((VENDOR / name).read_bytes()).hexdigest() == wanted
        assert "Permission is hereby granted" in (VENDOR / licence).read_text("utf-8")


def test_our_code_names_no_host_and_evaluates_no_text() -> None:
    for path in (WEB / "js").rglob("*.js"):
        assert not re.findall(r"https?://|\beval\(|new Function|innerHTML", path.read_text("utf-8")), path
