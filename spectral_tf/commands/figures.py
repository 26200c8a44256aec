"""Draws figures of folders again that their tables alone hold, without training anew.

    spectral-tf figures FOLDER [FOLDER ...]

A folder is that of a run of noise_fitting (--workdir) or of its committed results: figure 1 of
Fridovich-Keil et al. (2022) is drawn of its epochs.csv into figures/four_panels.png, and its
report.html, if it has one, is made again. All figures of a run that still has what it measured
(found.npz) are made again by its own command with --report_only.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from spectral_tf import program, records, runtime, web
from spectral_tf.errors import UserError

_EXPERIMENT, _TABLE, _FIGURE = "noise_fitting", "epochs", "four_panels"


def main(arguments: Sequence[str]) -> int:
    """Draws the figures of each folder and says where they are.

    Raises:
      UserError: a folder without such a table; those before it have their figures.
    """
    parser = argparse.ArgumentParser(
        f"{program.COMMAND} figures",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="what is drawn again")
    for folder in parser.parse_args(arguments).folders:
        contents = web.read_contents(folder)
        if contents.experiment.name != _EXPERIMENT or _TABLE not in contents.tables:
            raise UserError(
                str(folder),
                expected=f"a run of {_EXPERIMENT} with its {_TABLE}.csv",
                got=f"one of {contents.experiment.name} with "
                f"{', '.join(contents.tables) or 'no table'}",
                hint="of other runs: their own command with --report_only",
            )
        path = contents.path / "figures" / f"{_FIGURE}.png"
        figure = records.figures.four_panels(contents.tables[_TABLE], title=_title(contents))
        records.figures.save_figure(figure, path)
        print(path)
        if (contents.path / web.REPORT).exists():
            web.write_page(web.read_contents(folder), runtime.defaults_of(_EXPERIMENT))
    return 0


def _title(contents: web.Contents) -> str:
    """As the run itself titles its figures."""
    wave, dataset = (contents.flags[name] for name in ("wave", "dataset"))
    return f"{wave} waves on the labels of {dataset}, A = {float(contents.flags['amplitude']):g}"
