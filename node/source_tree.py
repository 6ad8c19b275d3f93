"""Source trees: folders whose contents get published. Private keys are not kept in one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

GIT_S: Final = 10.0
"""Time for git to say whether it ignores a folder. Above, the folder counts as not ignored."""


def enclosing_source_tree(home: str | Path, user_home: Path) -> Path | None:
    """The source tree that would include the files of `home`, or None.

    A source tree is a git work tree, unless git ignores `home` in it, or a copy of this project without git. The user's
    home folder and the folders above it are none: many people keep their settings there in git, and nothing else.
    """
    # Functions of os.path: those of Path raise for a folder of another user, or for a link to itself.
    real, user = Path(os.path.realpath(home)), Path(os.path.realpath(user_home))
    for folder in (real, *real.parents):
        if folder == user or folder in user.parents:
            return None
        if os.path.lexists(folder / ".git"):
            return None if _is_ignored(real, folder) else folder
        if os.path.isfile(folder / "wallet" / "keystore.py"):
            return folder
    return None


def _is_ignored(home: Path, tree: Path) -> bool:
    """Whether git ignores a key in `home`; false where git does not answer."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(tree), "check-ignore", "--quiet", str(home / "keys" / "key.json")]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=GIT_S)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
