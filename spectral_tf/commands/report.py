"""Writes report.html of folders: figures, tables and what they say, in one file for a browser.

    spectral-tf report FOLDER [FOLDER ...]

A folder is that of a run, finished or not (--workdir), of committed results, or one that
`Measurement.save` or `SpectrumCallback` has written. The page is made of what stands in it alone
and replaces the one that is there. Every run writes its own at its end.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from spectral_tf import program, runtime, web


def main(arguments: Sequence[str]) -> int:
    """Writes the page of each folder and says where it is.

    Raises:
      UserError: a folder that is none of these; those before it have their pages.
    """
    parser = argparse.ArgumentParser(
        f"{program.COMMAND} report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="what is to have a page")
    for folder in parser.parse_args(arguments).folders:
        contents = web.read_contents(folder)
        page = web.write_page(contents, runtime.defaults_of(contents.experiment.name))
        for remark in contents.remarks:
            print(f"{folder}: {remark}")
        print(page)
    return 0
