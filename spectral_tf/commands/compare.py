"""Writes one page of several folders of one experiment, beside each other.

    spectral-tf compare FOLDER FOLDER [...] [--output=FILE] [--overwrite]

What differs between them in flags, their key numbers with intervals, and their figures side by
side. Folders are those that `spectral-tf report` takes. A page that is there is not replaced
without being told so.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from spectral_tf import program, web

_OUTPUT = "comparison.html"


def main(arguments: Sequence[str]) -> int:
    """Writes the page and says where it is.

    Raises:
      UserError: as `web.write_comparison`.
    """
    parser = argparse.ArgumentParser(
        f"{program.COMMAND} compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="what is to be compared")
    parser.add_argument(
        "--output", default=_OUTPUT, metavar="FILE", help=f"the page; default: {_OUTPUT}"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a page that is there")
    chosen = parser.parse_args(arguments)
    print(web.write_comparison(chosen.folders, chosen.output, overwrite=chosen.overwrite))
    return 0
