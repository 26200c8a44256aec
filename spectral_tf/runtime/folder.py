"""The run folder that the flags name."""

import sys
from collections.abc import Collection

from absl import flags, logging
from etils import epath

from spectral_tf import storage, web
from spectral_tf.errors import UserError
from spectral_tf.records import RunFolder, read_flags
from spectral_tf.records.arrays import Damaged
from spectral_tf.records.folder import FOUND, experiment_of
from spectral_tf.records.found import Found
from spectral_tf.runtime.cluster import is_chief
from spectral_tf.runtime.launch import configuration
from spectral_tf.runtime.manual import defaults
from spectral_tf.storage import as_path


def run_folder(
    experiment: str,
    growing: Collection[str] = (),
    *,
    again: bool = False,
    remakes: bool = False,
) -> RunFolder:
    """Checks the folder of `--workdir`; nothing is written before its `start`.

    If it holds this run, finished, a line says so and the process ends with status 0; but where a
    table of it is missing or altered, the folder is given back for its report to be made again.

    Args:
      experiment: named in that line.
      growing: as for `RunFolder`.
      again: whether a finished run is taken, to make its report again.
      remakes: whether the launcher makes its report of other things than `found.npz`.

    Raises:
      UserError: as `RunFolder`; a report that is to be made again of a run with other flags; one
        that has lost tables and what they were made of.
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
        experiment=experiment,
        writes="strategy" not in values or is_chief(values.strategy, values.tpu),
        then=_write_page,
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
        if altered := folder.altered():
            _mend(folder, altered, remakes)
            return folder
        if _reopened(folder):
            return folder
        _report_again(folder)
        print(f"{experiment}: {folder.path} holds this run, finished; --overwrite makes it anew")
        sys.exit(0)
    return folder


def _reopened(folder: RunFolder) -> bool:
    """Whether what a finished run has measured is there, but not whole, and is made again; says so.

    It is made of the saved states; without them the tables are all that there is. It may have been
    taken away on purpose, as of a folder that is passed on.
    """
    try:
        Found.load(folder.path / FOUND, folder.identity)
    except FileNotFoundError:
        pass
    except Damaged as error:
        if (folder.path / FOUND).is_dir():  # Somebody's, in its place.
            return False
        states = any(storage.files_under(folder.path / "checkpoints"))
        then = "made again of the saved states" if states else "its tables are as they were"
        print(f"{folder.path}: {FOUND} is damaged ({error}); {then}")
        if states:
            folder.reopen()
        return states
    return False


def _report_again(folder: RunFolder) -> None:
    """Makes the page of a finished run that has none, where it can be written."""
    if folder.writes and not (folder.path / web.REPORT).exists():
        _write_page(folder.path)


def _write_page(folder: epath.Path) -> None:
    """The page of a finished run, which stands without it: no error here is one of the run."""
    try:
        web.write_report(folder, defaults())
    except Exception as error:
        logging.warning("no %s: %s: %s", web.REPORT, type(error).__name__, error)


def _mend(folder: RunFolder, altered: list[str], remakes: bool) -> None:
    """Says that files of a finished run are not what it wrote, and how they come back."""
    names = ", ".join(altered)
    if not remakes:
        try:
            Found.load(folder.path / FOUND, folder.identity)
        except (OSError, Damaged) as error:
            raise UserError(
                f"workdir={folder.path}",
                expected="a finished run with all of its tables as they were written",
                got=f"{names} missing or altered, and {FOUND} not whole ({error})",
                hint="bring them back, or repeat the run in another folder: "
                f"--flagfile={folder.path}/run.flags --workdir=...",
            ) from error
    print(f"{folder.path}: missing or altered, made again of what was measured: {names}")


def say_where(folder: RunFolder, *, num_images: int = 0) -> None:
    """Prints where a run is and how to look at it.

    Args:
      folder: of the run.
      num_images: of each tag that TensorBoard is to show; 0: its own 10.
    """
    shown = f" --samples_per_plugin=images={num_images}" if num_images else ""
    if (folder.path / web.REPORT).exists():
        print(f"all of it, in a browser: {folder.path / web.REPORT}")
    print(f"run folder: {folder.path}")
    if folder.events.is_dir():  # A report made again elsewhere has none.
        print(f"look at it: tensorboard --logdir={folder.path}{shown}")
