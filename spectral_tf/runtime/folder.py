"""The run folder that the flags name."""

import sys
from collections.abc import Collection

from absl import flags, logging

from spectral_tf.errors import UserError
from spectral_tf.records import RunFolder, read_flags
from spectral_tf.records.folder import experiment_of
from spectral_tf.runtime.cluster import is_chief
from spectral_tf.runtime.launch import configuration
from spectral_tf.storage import as_path


def run_folder(experiment: str, growing: Collection[str] = (), *, again: bool = False) -> RunFolder:
    """Checks the folder of `--workdir`; nothing is written before its `start`.

    If it holds this run, finished, a line says so and the process ends with status 0.

    Args:
      experiment: named in that line.
      growing: as for `RunFolder`.
      again: whether a finished run is taken, to make its report again.

    Raises:
      UserError: as `RunFolder`; a report that is to be made again of a run with other flags.
    """
    values = flags.FLAGS
    holds = experiment_of(as_path(values.workdir, "workdir"))
    if holds not in ("", experiment):
        raise UserError(
            f"workdir={values.workdir}",
            expected=f"a new folder, or one with a run of {experiment}",
            got=f"a run of {holds}",
            hint="name another --workdir",
        )
    folder = RunFolder(
        values.workdir,
        configuration(),
        overwrite=values.overwrite,
        growing=growing,
        writes="strategy" not in values or is_chief(values.strategy, values.tpu),
    )
    if (folder.path / "summary.json").exists() and not values.overwrite:
        try:
            folder.summary()
        except UserError as error:
            logging.warning("%s; the run counts as unfinished", error)
    other = read_flags(folder.path) is not None and not folder.same_flags
    if again and (values.overwrite or other):
        raise UserError(
            "report_only",
            expected="the flags that the run was made with, and no --overwrite",
            got="others",
            hint=f"say --flagfile={folder.path}/run.flags",
        )
    if again:
        folder.refuse_unwritable()
    if folder.finished and not again:
        print(f"{experiment}: {folder.path} holds this run, finished; --overwrite makes it anew")
        sys.exit(0)
    return folder


def say_where(folder: RunFolder, *, num_images: int = 0) -> None:
    """Prints where a run is and how to look at it.

    Args:
      folder: of the run.
      num_images: of each tag that TensorBoard is to show; 0: its own 10.
    """
    shown = f" --samples_per_plugin=images={num_images}" if num_images else ""
    print(f"run folder: {folder.path}")
    if folder.tensorboard.is_dir():  # A report made again elsewhere has none.
        print(f"look at it: tensorboard --logdir={folder.path}{shown}")
