"""What the machine refuses is one line, whoever raised it."""

import errno
import os

import pytest
from conftest import Host, assert_refused, launch_on

from spectral_tf import storage
from spectral_tf.errors import UserError
from spectral_tf.records import RunFolder
from spectral_tf.runtime.failures import told


def of_kind(name, text):
    """An error of TensorFlow, without it."""
    return type(name, (Exception,), {})(text)


def numbered(number, *files):
    return OSError(number, os.strerror(number), *files)


FULL = "the disk is full (No space left on device); make room, then the same command resumes"
KINDS = {
    "NumPy, Pillow": (numbered(errno.ENOSPC), f"runs/a: {FULL}"),
    "a file": (numbered(errno.ENOSPC, "/data/run/figures/a.png"), f"/data/run/figures: {FULL}"),
    "events": (
        of_kind("ResourceExhaustedError", "/r/events.1; No space left on device\n\tFailed to"),
        f"runs/a: {FULL}",
    ),
    "HDF5": (
        OSError("Unable to write (errno = 28, error message = 'No space left on device')"),
        f"runs/a: {FULL}",
    ),
    "too large for TensorFlow": (
        of_kind("OutOfRangeError", "/r/events.1; File too large"),
        "runs/a: a file may not get so large here (see ulimit -f) (File too large); raise the",
    ),
    "quota": (numbered(errno.EDQUOT), "runs/a: the disk quota is used up (Disk quota exceeded)"),
    "read-only": (numbered(errno.EROFS), "runs/a: the file system is read-only now"),
    "rights": (numbered(errno.EACCES), "runs/a: the permissions do not allow it"),
    "a broken disk": (numbered(errno.EIO), "runs/a: the disk or its connection fails"),
    "a folder in the way": (
        numbered(errno.EISDIR, "/r/.a.csv.part", None, "/r/a.csv"),
        "/r/a.csv: a file stands where a folder should, or a folder where a file should",
    ),
    "memory": (MemoryError("12 GB"), "out of memory: make the networks"),
    "memory of TensorFlow": (
        of_kind("ResourceExhaustedError", "OOM when allocating tensor with shape[1]"),
        "out of memory: make the networks",
    ),
    "memory of XLA": (
        of_kind("InternalError", "Out of memory while trying to allocate 1 bytes"),
        "out of memory: make the networks",
    ),
    "a defect": (ValueError("No space left on device"), None),
    "a missing file": (numbered(errno.ENOENT, "/elsewhere/a.npz"), None),
    "another InternalError": (of_kind("InternalError", "a defect"), None),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_is_told_as_what_it_is(kind):
    error, line = KINDS[kind]
    found = told(error, "runs/a")
    assert found is None if line is None else found.startswith(line)


def test_what_it_came_from_tells():
    wrapped = RuntimeError("while writing")
    wrapped.__cause__ = numbered(errno.ENOSPC)
    assert "the disk is full" in told(wrapped, "runs/a")
    assert told(numbered(errno.ENOSPC), "runs/a", resumes=False).endswith("starts over")


def test_a_file_that_vanishes_below_the_folder_is_told(tmp_path):
    file = str(tmp_path / "checkpoints" / "state.npz")
    assert "taken away under the run" in told(numbered(errno.ENOENT, file), str(tmp_path))


def test_a_launcher_that_finds_the_disk_full_says_so(tmp_path):
    full = (
        "import errno, os\nfrom spectral_tf import storage\n"
        "def refuse(path): raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))\n"
        "storage.atomic_write = refuse"
    )
    flags = ("--num_runs=1", "--num_steps=3", "--width=4", f"--workdir={tmp_path / 'run'}")
    (result,) = launch_on([Host(before=full)], "lf_first", *flags)
    assert_refused(result, "a folder that can be written")
    assert "No space left on device" in result.stderr


def started(path):
    folder = RunFolder(path, {"seed": "--seed=0"})
    folder.start({})
    return folder


@pytest.mark.parametrize("fault", ["removed", "renamed", "replaced", "emptied"])
def test_nothing_is_written_below_a_folder_that_is_gone(fault, tmp_path):
    path = tmp_path / "run"
    folder = started(path)
    if fault == "emptied":
        (path / "run.flags").unlink()
    else:
        path.rename(tmp_path / "elsewhere")
    if fault == "replaced":
        path.mkdir()
        for name in (".lock", "run.flags"):
            (path / name).write_text("")
    got = "none: it was removed or renamed" if not path.exists() else "another one"
    with (
        pytest.raises(UserError, match=f"^workdir={path}: .*the run began in, got {got}"),
        storage.atomic_write(folder.figures / "a.png"),
    ):
        pass
    assert not (path / "figures").exists()


def test_a_folder_can_be_started_in_anew_by_the_same_process(tmp_path):
    path = tmp_path / "run"
    first = started(path)
    path.rename(tmp_path / "elsewhere")
    second = started(path)
    storage.refuse_lost(path)
    del first, second


def test_a_lock_that_was_removed_alone_does_no_harm(tmp_path):
    folder = started(tmp_path / "run")
    (folder.path / ".lock").unlink()
    storage.refuse_lost(folder.figures)


def test_a_folder_that_is_no_longer_worked_in_may_go(tmp_path):
    path = tmp_path / "run"
    folder = started(path)
    del folder
    path.rename(tmp_path / "elsewhere")
    with storage.atomic_write(path / "a.txt") as temporary:
        temporary.write_text("anew")


def test_a_network_that_fails_is_told_in_the_words_of_its_client():
    error = OSError(errno.ETIMEDOUT, "EndpointConnectionError: could not connect to the bucket")
    line = told(error, "gs://bucket/run")
    assert line.startswith("gs://bucket/run: the disk or its connection fails (Endpoint")
