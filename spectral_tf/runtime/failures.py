"""What the machine refuses in the middle of a run, in one line: a full disk, a lost folder, memory.

Whoever writes raises something of his own: NumPy and Pillow an OSError, HDF5 one without a number,
TensorFlow an OutOfRangeError or ResourceExhaustedError, which is also its word for memory. All of
them repeat what the system said.
"""

import errno
import os
import pathlib
from collections.abc import Iterator

_FULL = "the disk is full"
_LIMITED = "a file may not get so large here (see ulimit -f)"
_READ_ONLY = "the file system is read-only now"
_FORBIDDEN = "the permissions do not allow it"
_BROKEN = "the disk or its connection fails"
_TAKEN = "a file stands where a folder should, or a folder where a file should"
_OPEN = "too many files are open (see ulimit -n)"

_TOLD = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: _LIMITED,
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EIO: _BROKEN,
    errno.ECONNRESET: _BROKEN,
    errno.ECONNREFUSED: _BROKEN,
    errno.ETIMEDOUT: _BROKEN,
    errno.EHOSTUNREACH: _BROKEN,
    errno.ENETUNREACH: _BROKEN,
    errno.EPIPE: _BROKEN,
    errno.ESTALE: _BROKEN,
    errno.ENOTCONN: _BROKEN,
    errno.EISDIR: _TAKEN,
    errno.EEXIST: _TAKEN,
    errno.ENOTDIR: _TAKEN,
    errno.EMFILE: _OPEN,
    errno.ENFILE: _OPEN,
}
# Where only the text is left of what the system said.
_TEXTS = {os.strerror(number): number for number in _TOLD}

_REMEDY = {
    _FULL: "make room",
    _TAKEN: "move it away",
    _LIMITED: "raise the limit",
    _OPEN: "raise the limit",
}
# Those of TensorFlow, by their names: to import it here would take seconds.
_OF_TENSORFLOW = {
    *("OutOfRangeError", "ResourceExhaustedError", "InternalError", "UnknownError"),
    *("PermissionDeniedError", "FailedPreconditionError", "NotFoundError", "UnavailableError"),
}
_MEMORY = "out of memory: make the networks, samples or runs fewer"


def told(error: BaseException, workdir: str, *, resumes: bool = True) -> str | None:
    """The line of an error that is the machine's, or None of any other.

    Args:
      error: as it was raised.
      workdir: the folder of the run; "" if there is none.
      resumes: whether the same command goes on from a saved state, or starts over.

    >>> told(OSError(28, "No space left on device"), "runs/a")
    'runs/a: the disk is full (No space left on device); make room, then the same command resumes'
    >>> told(MemoryError(), "runs/a")
    'out of memory: make the networks, samples or runs fewer'
    >>> told(ValueError("a defect"), "runs/a")
    """
    again = f"the same command {'resumes' if resumes else 'starts over'}"
    for each in _chain(error):
        number, file = _refused(each)
        if number in _TOLD:
            what = _TOLD[number]
            where = file if what == _TAKEN else str(pathlib.Path(file).parent)
            folder = where if file else workdir
            remedy = _REMEDY.get(what, "mend that")
            return f"{folder}: {what} ({_reason(each, number)}); {remedy}, then {again}"
        if number == errno.ENOENT and workdir and _below(file, workdir):
            return (
                f"{file}: taken away under the run ({os.strerror(number)}); "
                f"bring it back, then {again}"
            )
        if _lacks_memory(each):
            return _MEMORY
    return None


def _reason(error: BaseException, number: int) -> str:
    """What the client of a file system says, or else the system."""
    said = error.strerror if isinstance(error, OSError) else None
    return said or os.strerror(number)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came from, each once."""
    seen: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in seen:
        seen.append(following)
        yield following
        following = following.__cause__ or following.__context__


def _refused(error: BaseException) -> tuple[int, str]:
    """The number of what the system refused, and the file; 0 if that is not what happened."""
    if isinstance(error, OSError) and error.errno is not None:
        file = error.filename2 or error.filename
        return error.errno, file if isinstance(file, str) else ""
    # Keras wraps what it cannot write in a ValueError of many words.
    if isinstance(error, OSError) or type(error).__name__ in _OF_TENSORFLOW:
        text = str(error)
        for said, number in _TEXTS.items():
            if said in text:
                return number, ""
    return 0, ""


def _lacks_memory(error: BaseException) -> bool:
    kind = type(error).__name__
    if isinstance(error, MemoryError) or kind == "ResourceExhaustedError":
        return True
    return kind in _OF_TENSORFLOW and "out of memory" in str(error).lower()


def _below(file: str, folder: str) -> bool:
    return bool(file) and pathlib.Path(folder).absolute() in pathlib.Path(file).absolute().parents
