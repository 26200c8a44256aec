"""One's own one-dimensional samples, read from a file."""

import csv
import pathlib
import warnings
import zipfile
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spectral_tf.errors import UserError
from spectral_tf.storage import here

KINDS = ("csv", "npz", "wav")

# Names of positions and values in npz files, the first pair that is there.
_NAMES = (
    ("x", "y"),
    ("positions", "values"),
    ("position", "value"),
    ("time", "values"),
    ("time", "value"),
    ("t", "y"),
    ("t", "x"),
)

# A step with all samples of them costs fifty times that of the page's 200.
MOST_SAMPLES = 10_000
FEWEST_SAMPLES = 8


class Samples(NamedTuple):
    """Values at positions, checked.

    Attributes:
      name: kind and path of the file.
      positions: increasing, float64 [n], in the file's unit (seconds of a wav).
      values: finite and not constant, float64 [n].
      position_name: what the file calls positions: a header's word, an array's name, `time [s]`.
      frequency_unit: `Hz`, or `cycles per unit of NAME`.
      remarks: what was made of the file, in words.
    """

    name: str
    positions: NDArray[np.float64]
    values: NDArray[np.float64]
    position_name: str
    frequency_unit: str
    remarks: tuple[str, ...] = ()


def read_samples(target: str, window: str | None = None, channel: int | None = None) -> Samples:
    """The samples of `csv:PATH`, `npz:PATH` or `wav:PATH`, sorted by position.

    * csv: two columns, positions and values, separated by comma, semicolon, tab or spaces; the
      first line may name them; lines that begin with # are comments.
    * npz: two arrays [n] named x and y, positions and values, position and value, time and
      value(s), t and y, or t and x.
    * wav: PCM (whole numbers become [-1, 1)) or floats; positions are seconds. Of several channels
      the mean is taken, or the one asked for.

    Args:
      target: kind and path.
      window: `start:stop`, positions start <= x < stop in the file's unit; either may be left out.
      channel: of a wav, from 1.

    Raises:
      UserError: a file that is missing, of another kind or without two columns of finite numbers;
        positions that come twice; fewer than 8 samples, more than 10,000, or a constant; a window
        that is none; a channel that is not there.
    """
    kind, given, path = target.partition(":")
    if kind not in KINDS or not given or not path:
        raise UserError(
            "target",
            expected="csv:PATH, npz:PATH or wav:PATH",
            got=target or "nothing",
            hint="say what kind of file it is, for example --target=csv:mine.csv",
        )
    file = here(path)
    if not file.is_file():
        raise UserError(
            f"target={target}",
            expected="a file",
            got="a folder" if file.is_dir() else "none there",
            hint="check the path",
        )
    if channel is not None and kind != "wav":
        raise UserError(
            "target_channel",
            expected="a wav file as target",
            got=f"--target={target}",
            hint="leave it out",
        )
    low, high = _window(window)
    try:
        if kind == "wav":
            samples = _read_wav(file, target, channel)
        else:
            samples = (_read_csv if kind == "csv" else _read_npz)(file, target)
    except OSError as error:
        raise _wrong(
            target, "a file that can be read", error.strerror or str(error), "mend its permissions"
        ) from error
    x, y = samples.positions, samples.values
    if not (np.all(np.isfinite(x)) and np.all(np.isfinite(y))):
        bad = int(np.flatnonzero(~(np.isfinite(x) & np.isfinite(y)))[0])
        raise _wrong(
            target,
            "finite numbers",
            f"{x[bad]:g} and {y[bad]:g} as sample {bad + 1:,}",
            "leave out what is not known: positions need not be uniform",
        )
    inside = (x >= low) & (x < high)
    if not inside.any() and x.size:
        raise UserError(
            "target_window",
            expected=f"some of the positions, {x.min():g} to {x.max():g}",
            got=str(window),
            hint="give start:stop in the unit of the positions",
        )
    order = np.argsort(x[inside], kind="stable")
    samples = samples._replace(positions=x[inside][order], values=y[inside][order])
    _refuse(samples, target)
    return samples


def _refuse(samples: Samples, target: str) -> None:
    """Raises a UserError for samples that no network can be trained on and measured at."""
    x, y = samples.positions, samples.values
    if x.size < FEWEST_SAMPLES:
        raise _wrong(
            target, f"at least {FEWEST_SAMPLES} samples", x.size, "give more, or widen the window"
        )
    if (x[1:] == x[:-1]).any():
        twice = x[1:][x[1:] == x[:-1]]
        raise _wrong(
            target,
            "each position once",
            f"{twice[0]:g} several times (and {twice.size - 1} more)",
            "average the values there, or shift them apart",
        )
    if x.size > MOST_SAMPLES:
        stop = x[MOST_SAMPLES]
        raise _wrong(
            target,
            f"at most {MOST_SAMPLES:,} samples, as every training step takes all of them",
            f"{x.size:,} from {x[0]:g} to {x[-1]:g}",
            f"cut a window out, for example --target_window={x[0]:.6g}:{stop:.6g}, or thin them "
            "out after a low pass",
        )
    with np.errstate(over="ignore", invalid="ignore"):
        deviation = float(y.std())
    if not 1e-12 * float(np.abs(y).max()) < deviation < 1e150 or deviation < 1e-150:
        raise _wrong(
            target,
            "values that vary, of a size that can be squared",
            f"{y.min():g} to {y.max():g}",
            "there is no frequency in a constant",
        )


def _wrong(target: str, expected: str, got: object, hint: str) -> UserError:
    return UserError(f"target={target}", expected=expected, got=got, hint=hint)


def _window(window: str | None) -> tuple[float, float]:
    if window is None:
        return -np.inf, np.inf
    start, given, stop = window.partition(":")
    try:
        low, high = float(start or "-inf"), float(stop or "inf")
    except ValueError:
        low = high = np.nan
    if not given or not low < high:
        raise UserError(
            "target_window",
            expected="start:stop, two numbers that increase, of which one may be left out",
            got=window or "nothing",
            hint="for example --target_window=0:0.2",
        )
    return low, high


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _read_csv(file: pathlib.Path, target: str) -> Samples:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise _wrong(target, "a file of text", "another kind", "save it as UTF-8") from error
    lines = [
        (number, line.strip())
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    first = lines[0][1] if lines else ""
    separator = next((mark for mark in ",;\t" if mark in first), None)
    rows = [
        next(csv.reader([line], delimiter=separator, skipinitialspace=True))
        if separator
        else line.split()
        for _, line in lines
    ]
    names = ["x", "y"]
    if rows and len(rows[0]) == 2 and all(_number(word) is None for word in rows[0]):
        names = [word.strip() for word in rows[0]]
        rows, lines = rows[1:], lines[1:]
    columns = np.empty((len(rows), 2))
    for i, (row, (number, line)) in enumerate(zip(rows, lines, strict=True)):
        found = [_number(word) for word in row]
        if len(row) != 2 or None in found:
            columns_there = len(row) != 2
            raise _wrong(
                target,
                "two columns of numbers, positions and values",
                f"{len(row)} column{'s' * (len(row) != 1)} in line {number}: {line[:40]!r}"
                if columns_there
                else f"line {number}: {line[:40]!r}",
                "keep the two that are meant; decimals have a point"
                if columns_there
                else "only the first line may be text; decimals have a point",
            )
        columns[i] = found
    return Samples(target, columns[:, 0], columns[:, 1], names[0], f"cycles per unit of {names[0]}")


def _read_npz(file: pathlib.Path, target: str) -> Samples:
    hint = "np.savez(PATH, x=positions, y=values)"
    if not zipfile.is_zipfile(file):
        raise _wrong(target, "an npz file", "another kind", hint)
    try:
        with np.load(file, allow_pickle=False) as archive:
            there = archive.files
            pair = next((pair for pair in _NAMES if set(pair) <= set(there)), None)
            if pair is None:
                raise _wrong(target, "arrays x and y", ", ".join(there) or "none", hint)
            arrays = [archive[name] for name in pair]
    except UserError:
        raise
    except Exception as error:  # NumPy raises many kinds for files that are not npz.
        raise _wrong(target, "a readable npz file", " ".join(str(error).split()), hint) from error
    x, y = (a[:, 0] if a.ndim == 2 and a.shape[1] == 1 else a for a in arrays)
    if x.ndim != 1 or x.shape != y.shape or not (x.dtype.kind in "iuf" and y.dtype.kind in "iufb"):
        raise _wrong(
            target,
            f"{pair[0]} and {pair[1]} of shape [n] and real",
            f"{arrays[0].shape} {x.dtype} and {arrays[1].shape} {y.dtype}",
            "one position for each value",
        )
    return Samples(
        target, x.astype(np.float64), y.astype(np.float64), pair[0], f"cycles per unit of {pair[0]}"
    )


def _read_wav(file: pathlib.Path, target: str, channel: int | None) -> Samples:
    from scipy.io import wavfile

    try:
        with warnings.catch_warnings():
            # Chunks that hold no sound, such as titles.
            warnings.simplefilter("ignore", wavfile.WavFileWarning)
            rate, sound = wavfile.read(file)
    except OSError:
        raise
    except Exception as error:  # SciPy raises many kinds for files that are not wav.
        raise _wrong(
            target, "a wav file", " ".join(str(error).split()) or "another kind", "convert it"
        ) from error
    told = [f"{rate:,} samples a second, {sound.dtype}"]
    if sound.dtype.kind == "u":
        sound = (sound.astype(np.float64) - 128) / 128
    elif sound.dtype.kind == "i":
        # 24 bits come as the upper ones of 32.
        sound = sound / float(2 ** (8 * sound.dtype.itemsize - 1))
    channels = sound.shape[1] if sound.ndim == 2 else 1
    sound = sound.reshape(len(sound), -1).astype(np.float64)
    if channel is not None and not 1 <= channel <= channels:
        raise UserError(
            "target_channel",
            expected=f"1 to {channels}, a channel of {target}",
            got=channel,
            hint="leave it out for the mean of all",
        )
    if channels > 1:
        told.append(
            f"channel {channel} of {channels}" if channel else f"mean of {channels} channels"
        )
    values = sound[:, channel - 1] if channel else sound.mean(axis=1)
    seconds = np.arange(len(values)) / rate
    return Samples(target, seconds, values, "time [s]", "Hz", (", ".join(told),))
