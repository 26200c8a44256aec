"""Models that somebody has saved: a file, a SavedModel, or what a run folder keeps."""

from typing import NamedTuple

from etils import epath

from spectral_tf import records
from spectral_tf.data import Normalisation
from spectral_tf.errors import UserError
from spectral_tf.models.files import is_saved_model
from spectral_tf.storage import as_path, files_under, folders_around


class Saved(NamedTuple):
    """A saved model.

    Attributes:
      file: of it, or the folder of a SavedModel.
      dataset: that it was trained on, as `--dataset` names it; None if no run tells.
      normalisation: of the images it was trained on; None if no run tells.
    """

    file: epath.Path
    dataset: str | None
    normalisation: Normalisation | None


def saved_model(flag: str, path: str) -> Saved:
    """The file or SavedModel at a path, or the last `.keras` file of the run folder at a path.

    A folder with several trainings is refused with the folders to choose from: name one of them.

    Args:
      flag: how an error calls the path.
      path: of a file, of a SavedModel folder, of a run folder of noise_fitting or interventions, or
        of a folder in its `checkpoints`.

    Raises:
      UserError: nothing there, no kept model, or models of several trainings.
    """
    given = as_path(path, flag)
    if given.is_file() or is_saved_model(given):
        return _of_run(given)
    # A hidden one is what a kill left half written.
    every = (file for file in files_under(given) if file.suffix == ".keras")
    kept = sorted(file for file in every if not file.name.startswith("."))
    if not kept:
        run = given.is_dir() and records.read_flags(given) is not None
        raise UserError(
            flag,
            expected="a .keras file, or a run folder that keeps one (or an .h5 file of a whole "
            "model, or a SavedModel folder)",
            got=f"{path}, {'a run without' if run else 'no'} such file",
            hint="keep models with noise_fitting.py --checkpoint_epochs=20 or interventions.py"
            if run
            else "save yours with model.save(PATH)",
        )
    folders = list(dict.fromkeys(file.parent for file in kept))
    if len(folders) > 1:
        raise UserError(
            flag,
            expected="one training",
            got=f"{len(folders)} in {path}",
            hint=f"name one of them, such as {folders[0]}",
        )
    return _of_run(kept[-1])


def _of_run(file: epath.Path) -> Saved:
    """With what the run folder around a file tells."""
    for folder in folders_around(file):
        flags, environment = records.read_flags(folder), folder / "environment.json"
        if flags is not None and environment.is_file():
            with records.reading(environment, str(file), "a run that tells its images"):
                data = records.read_json(environment, str(file)).get("data", {})
                given = data.get("normalisation")
                normalisation = given and Normalisation(
                    tuple(given["mean"]), tuple(given["deviation"]), given["source"]
                )
            return Saved(file, flags.get("dataset"), normalisation)
    return Saved(file, None, None)
