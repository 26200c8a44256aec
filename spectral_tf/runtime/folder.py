"""The run folder that the flags name."""

import sys
from collections.abc import Collection

from absl import flags

from spectral_tf.records import RunFolder
from spectral_tf.runtime.cluster import is_chief
from spectral_tf.runtime.launch import configuration


def run_folder(experiment: str, growing: Collection[str] = ()) -> RunFolder:
    """Checks the folder of `--workdir`; nothing is written before its `start`.

    If it holds this run, finished, a line says so and the process ends with status 0.

    Args:
      experiment: named in that line.
      growing: as for `RunFolder`.

    Raises:
      UserError: as `RunFolder`.
    """
    values = flags.FLAGS
    folder = RunFolder(
        values.workdir,
        configuration(),
        overwrite=values.overwrite,
        growing=growing,
        writes="strategy" not in values or is_chief(values.strategy, values.tpu),
    )
    if folder.finished:
        print(f"{experiment}: {folder.path} holds this run, finished; --overwrite makes it anew")
        sys.exit(0)
    return folder
