"""What an intervention does to the waves that a classifier learns, against a baseline.

Reads finished runs of noise_fitting.py that share data, waves and seeds and differ in one thing
(width, weight decay, mixup, a teacher, ...), and compares the final fit coefficient beta of every
wave, seed by seed.

    python launchers/noise_fitting_compare.py --baseline=runs/plain --cases=runs/wide,runs/decayed

takes seconds. To see: whether wider networks follow faster waves, and regularised ones slower
(results/noise_fitting).
"""

import json
import math
import pathlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from absl import flags

from spectral_tf import records, runtime, spectra
from spectral_tf.errors import UserError

FLAGS = flags.FLAGS
runtime.define_run_flags("noise_fitting_compare", resumes=False, distributes=False)
flags.DEFINE_string("baseline", "runs/noise_fitting", "Run folder to compare with.")
flags.DEFINE_list("cases", [], "Run folders to compare, named by their last part.")
# Flags that must be equal for a comparison of beta, seed by seed, to mean something.
SAME = (
    *("dataset", "train_size", "held_out", "wave", "amplitude", "per_batch_amplitude"),
    *("noise_class", "degrees", "seed", "seeds", "num_epochs"),
)


class Run(NamedTuple):
    """A finished run of noise_fitting.py.

    Attributes:
      name: of its folder.
      summary: what it says of itself.
      flags: {name: text} of it.
      version: of its data set.
      cycles, frequency: {wave: cycles across the data, f}, the control left out.
      beta: {wave: final fit coefficient of each seed}.
    """

    name: str
    summary: dict
    flags: Mapping[str, str]
    version: str
    cycles: dict[str, float]
    frequency: dict[str, float]
    beta: dict[str, np.ndarray]


def main() -> None:
    """Compares the runs that the flags name."""
    if not any(FLAGS.cases):
        raise UserError("--cases", expected="run folders", got="none", hint="separate by commas")
    folder = runtime.run_folder("noise_fitting_compare")
    baseline, *cases = [read_run(path) for path in (FLAGS.baseline, *FLAGS.cases)]
    for i, case in enumerate(cases):
        refuse_differences(baseline, case)
        if case.name in [run.name for run in (baseline, *cases[:i])]:
            raise UserError(
                "--cases",
                expected="folders of different names",
                got=f"{case.name} twice",
                hint="rename",
            )
    from spectral_tf.records import figures

    folder.start({"compared": {name: str(FLAGS[name].value) for name in ("baseline", "cases")}})
    rows, lines, verdicts = [], [], {}
    for run in (baseline, *cases):
        waves = [wave for wave in run.beta if wave in baseline.beta]
        waves.sort(key=lambda wave: run.cycles[wave])
        of_run = np.stack([run.beta[wave] for wave in waves], axis=1)  # [seeds, waves]
        away = of_run - np.stack([baseline.beta[wave] for wave in waves], axis=1)
        beta, difference = spectra.mean_interval(of_run), spectra.mean_interval(away)
        for i, wave in enumerate(waves):
            chances = (spectra.sign_test(sign * away[:, i]) for sign in (1, -1))
            rows.append(
                (
                    *(run.name, wave, run.cycles[wave]),
                    *(band[i] for band in beta),
                    *(band[i] for band in difference),
                    *chances,
                    len(away),
                )
            )
        lines.append(
            figures.Line([run.cycles[wave] for wave in waves], beta[0], run.name, *beta[1:])
        )
        verdicts[run.name] = {
            wave: [float(band[i]) for band in difference] for i, wave in enumerate(waves)
        }
    records.write_table(
        folder.path / "comparison.csv",
        (
            *("case", "wave", "cycles", "fit_coefficient", "fit_coefficient_low"),
            *("fit_coefficient_high", "difference", "difference_low", "difference_high"),
            *("sign_test_above", "sign_test_below", "num_seeds"),
        ),
        rows,
    )
    figure = figures.lines(
        lines,
        xlabel="cycles across the data",
        ylabel="final fit coefficient β",
        title=f"{baseline.summary['dataset'].split(' (')[0]}, "
        f"{records.averaged(baseline.summary['num_seeds'])}",
        xscale="log",
    )
    figures.save_figure(figure, folder.figures / "comparison.png")
    folder.finish(
        {
            "experiment": "noise_fitting_compare",
            "baseline": baseline.name,
            "difference_of_final_fit_with_interval": verdicts,
        },
        wall_seconds=0.0,
    )
    for name, of_case in verdicts.items():
        for wave, (mean, low, high) in of_case.items():
            if name != baseline.name:
                interval = f" ({low:+.3f} to {high:+.3f})" if low == low else ", one seed"
                print(f"{name:>20}, {wave}: beta {mean:+.3f}{interval}")
    print(f"run folder: {folder.path}")


def read_run(path: str) -> Run:
    """Reads a finished run, or raises a UserError."""
    folder = records.RunFolder(path, {}, writes=False)
    if not folder.finished or folder.summary().get("experiment") != "noise_fitting":
        raise UserError(
            "--baseline and --cases",
            expected="finished runs of noise_fitting.py",
            got=f"{path}",
            hint="start its command again to finish it",
        )
    table = records.read_table(folder.path / "epochs.csv")
    columns = {name: np.asarray(values) for name, values in table.items()}
    last = columns["epoch"] == columns["epoch"].max()
    cycles, frequency, beta = {}, {}, {}
    for wave in dict.fromkeys(columns["wave"][last].tolist()):
        here = last & (columns["wave"] == wave)
        values = columns["fit_coefficient"][here].astype(float)
        if wave != "uniform":  # The control has no wave to follow.
            cycles[wave] = float(columns["cycles"][here][0])
            frequency[wave] = float(columns["frequency"][here][0])
            beta[wave] = values
    environment = json.loads((folder.path / "environment.json").read_text())
    return Run(
        name=pathlib.Path(path).resolve().name,
        summary=folder.summary(),
        flags=records.read_flags(folder.path) or {},
        version=environment["data"]["version"],
        cycles=cycles,
        frequency=frequency,
        beta=beta,
    )


def refuse_differences(baseline: Run, case: Run) -> None:
    """Raises a UserError for runs that cannot be compared seed by seed."""
    ours, theirs = ({**r.flags, "version": r.version} for r in (baseline, case))
    wrong = [n for n in (*SAME, "version") if ours.get(n) != theirs.get(n)]
    common = baseline.beta.keys() & case.beta.keys()
    moved = [n for n in common if not math.isclose(baseline.frequency[n], case.frequency[n])]
    if moved:
        raise UserError(
            f"case {case.name}",
            expected=f"{moved[0]} of frequency {baseline.frequency[moved[0]]:.6g}",
            got=f"{case.frequency[moved[0]]:.6g}",
            hint="make both runs with the same version",
        )
    if wrong or not common:
        raise UserError(
            f"case {case.name}",
            expected=", ".join(f"{n} {ours.get(n)}" for n in wrong) or "waves in common",
            got=", ".join(f"{n} {theirs.get(n)}" for n in wrong) or "none",
            hint="compare runs of the same data, waves and seeds",
        )


if __name__ == "__main__":
    runtime.launch(main)
