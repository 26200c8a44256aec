"""Writes report.html of folders: figures, tables and what they say, in one file for a browser.

    spectral-tf report FOLDER [FOLDER ...]
    spectral-tf report FOLDER --output FILE [--overwrite]

A folder is that of a run, finished or not (--workdir), of committed results, or one that
`Measurement.save` or `SpectrumCallback` has written. The page is made of what stands in it alone
and replaces the one that is there, or --output of one folder that cannot be written to. Every run
writes its own at its end.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from spectral_tf import program, runtime, web
from spectral_tf.errors import UserError


def main(arguments: Sequence[str]) -> int:
    """Writes the page of each folder and says where it is.

    Raises:
      UserError: a folder that is none of these; those before it have their pages. One file for
        several folders.
      OSError: a page that cannot be written.
    """
    parser = argparse.ArgumentParser(
        f"{program.COMMAND} report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="what is to have a page")
    parser.add_argument("--output", metavar="FILE", help="the page, elsewhere than in its folder")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an --output that is there"
    )
    asked = parser.parse_args(arguments)
    if asked.output and len(asked.folders) > 1:
        raise UserError(
            "--output",
            expected="one folder",
            got=f"{len(asked.folders)} of them",
            hint="leave it out: each has its page in it",
        )
    elsewhere = web.output_file(asked.output, asked.overwrite) if asked.output else None
    for folder in asked.folders:
        contents = web.read_contents(folder)
        defaults = runtime.defaults_of(contents.experiment.name)
        page = web.write_page(contents, defaults, elsewhere)
        for remark in contents.remarks:
            print(f"{folder}: {remark}")
        print(page)
    return 0
