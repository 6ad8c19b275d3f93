"""The files that pages load: style, modules, vendored code, pictures. All under one path that names their release.

The release is a hash of every file's name and content, so the files behind it never change and browsers keep them.
Pages load them from this origin alone, compressed beforehand. Modules are those of `web/built`, which `scripts/modules`
makes of `web/js`: whoever doubts a server compares what it serves with the repository, byte by byte, and makes it anew.

Some are made at the start: the trust root, and what the modules need of it and of the texts (`web.module_files`).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from node.certificates.roots import checkpoint_json
from node.certificates.verifier import Root
from web.module_files import module_files

FOLDERS: Final = {"built": "js", "pictures": "pictures", "js": "source/js", "vendor": "source/vendor"}
"""Folders of this package, and their paths below `/static/<release>/`. Pages load no sources; people read them."""
STYLE: Final = "css/site.css"
"""Made of `css/*.css` in the order of their names."""
ROOT: Final = "root.json"
"""The trust root that readers' browsers verify from, as a checkpoint document."""
MEDIA_TYPES: Final = {
    "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml",
    "json": "application/json", "png": "image/png", "ico": "image/x-icon", "webmanifest": "application/manifest+json",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asset:
    """A file. `gzipped` is empty where that would not be smaller."""

    media_type: str
    body: bytes
    gzipped: bytes
    digest: str


def _gzipped(body: bytes) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = deflater.compress(body) + deflater.flush()
    return packed if len(packed) < len(body) else b""


def _files(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        name = f"{path}/{entry.name}"
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _files(entry, name)
        elif entry.name.rpartition(".")[2] in MEDIA_TYPES:
            yield name, entry.read_bytes()


class Assets:
    """Every file by its path below `/static/<release>/`."""

    def __init__(self, trusted_root: Root) -> None:
        root = files("web")
        style = b"\n".join(body for _, body in _files(root.joinpath("css"), "css"))
        trusted = checkpoint_json(trusted_root, [])
        found = {STYLE: style, ROOT: trusted.encode(), **module_files(json.loads(trusted))}
        for folder, path in FOLDERS.items():
            found |= dict(_files(root.joinpath(folder), path))
        self.by_path = {
            path: Asset(MEDIA_TYPES[path.rpartition(".")[2]], body, _gzipped(body), sha256(body).hexdigest())
            for path, body in found.items()
        }
        named = "".join(f"{path} {asset.digest}\n" for path, asset in sorted(self.by_path.items()))
        self.release = sha256(named.encode()).hexdigest()[:16]

    def url(self, path: str) -> str:
        """Raises `KeyError` for a file that is not there."""
        assert self.by_path[path]
        return f"/static/{self.release}/{path}"

    def manifest(self) -> dict[str, object]:
        return {"release": self.release, "files": {path: asset.digest for path, asset in sorted(self.by_path.items())}}
