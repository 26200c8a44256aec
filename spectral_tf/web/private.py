"""Folders of whoever makes a page, which tell a name, and nothing to a reader elsewhere."""

from __future__ import annotations

import os
import pathlib
import re

from etils import epath
from markupsafe import escape

from spectral_tf.storage import is_local

# Where the folders of users are, whoever they are: a run may have been made elsewhere.
_HOMES = re.compile(r"(?<![\w.~/-])/(?:home|Users)/[\w.-]+")


def shortened(text: str, folder: epath.Path | None = None) -> str:
    """A page in which paths begin at the run's folder, or with ~ for the home of a user.

    Args:
      text: of the page, escaped.
      folder: of the run, "." in it, and ".." the one around; None: of no single one.

    >>> shortened("--data_dir=/home/me/data --from_run=runs/a")
    '--data_dir=~/data --from_run=runs/a'
    """
    home = pathlib.Path(os.path.expanduser("~"))
    names: dict[pathlib.Path, str] = {}
    if folder is not None and is_local(folder):
        for own in {pathlib.Path(os.path.abspath(folder)), pathlib.Path(os.path.realpath(folder))}:
            names |= {own: ".", own.parent: ".."}
    names.setdefault(home, "~")
    for path in sorted(names, key=lambda path: -len(path.parts)):
        # What holds the homes of all users, or everything, tells nothing.
        if len(path.parts) > 1 and path not in home.parents:
            whole = rf"(?<![\w.~/-]){re.escape(str(escape(path)))}(?![\w.-])"
            text = re.sub(whole, names[path], text)
    return _HOMES.sub("~", text)
