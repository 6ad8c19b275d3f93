# Sourced by the other scripts: makes .venv from the pinned, hashed versions in requirements.lock.
# Does nothing when the environment is already the one that the lock file describes.
set -euo pipefail
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="${BMW_VENV:-$ROOT/.venv}"

fail() { echo "$1" >&2; exit 3; }

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3.14 python3; do
        [ -n "$candidate" ] || continue
        # The interpreter below an active environment: ours may have to be removed.
        "$candidate" -c 'import sys; print(sys._base_executable) if (3, 11) <= sys.version_info[:2] <= (3, 14) else exit(1)' \
            2>/dev/null && return 0
    done
    return 1
}

make_environment() {
    local python wanted
    python="$(find_python)" || fail "CPython 3.11, 3.12, 3.13 or 3.14 is needed: install one, e.g. 'apt install python3 python3-venv', or name it: PYTHON=/path/to/python3.13 $0"
    wanted="$(sha256sum "$ROOT/requirements.lock" "$ROOT/setup.cfg" | sha256sum | cut -d' ' -f1) $("$python" -c 'import sys; print(sys.version_info[:2])') $ROOT"
    if [ -f "$VENV/.made-from" ] && [ "$(cat "$VENV/.made-from")" = "$wanted" ]; then
        return 0
    fi
    "$python" -c 'import ensurepip, venv' >/dev/null 2>&1 || fail "$python has no venv module: install it, e.g. 'apt install python3-venv', and run this again"
    echo "making the environment in ${VENV#"$ROOT"/} (once)" >&2
    rm -rf "$VENV"
    "$python" -m venv "$VENV" || fail "venv could not be made: install it, e.g. 'apt install python3-venv', and run this again"
    "$VENV/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$ROOT/requirements.lock" \
        || fail "the pinned packages could not be installed: check the network or pip's index settings, then run this again"
    "$VENV/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable "$ROOT" \
        || fail "the project itself could not be installed into $VENV"
    echo "$wanted" > "$VENV/.made-from"
}

make_environment
export PATH="$VENV/bin:$PATH"
# With it, each of the many processes of a network or a test compiles every module again: a third of its start.
unset PYTHONDONTWRITEBYTECODE
cd "$ROOT"
