"""The commit of the code that runs."""

import pathlib
import subprocess

import spectral_tf


def git_commit() -> str | None:
    """Its hash in a clone, with `+changes` if files differ from it; None elsewhere."""
    root = pathlib.Path(spectral_tf.__file__).parents[1]
    if not (root / ".git").exists():
        return None

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "spectral_tf", "launchers")
        return git("rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None
