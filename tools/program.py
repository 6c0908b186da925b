"""Which posterm this is: its version, and the commit where it runs from a checkout."""

from __future__ import annotations

import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_GIT_WAIT_S = 5.0


def version() -> str:
    """The installed version; "" where posterm is not installed."""
    try:
        return metadata.version("posterm")
    except metadata.PackageNotFoundError:
        return ""


def commit() -> str:
    """The checkout's commit, "-dirty" after it where something was changed since; "" outside a checkout."""
    if not (_ROOT / ".git").exists():  # or it would be the commit of whatever posterm is installed into
        return ""
    command = ["git", "--no-optional-locks", "describe", "--always", "--dirty", "--exclude=*", "--abbrev=12"]
    try:
        done = subprocess.run(
            command, cwd=_ROOT, capture_output=True, text=True, check=True, timeout=_GIT_WAIT_S
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


@cache
def described() -> str:
    """Version and commit in a line, for people and for files."""
    found = commit()
    told = f"posterm {version()}".rstrip()
    return f"{told}, commit {found}" if found else told
