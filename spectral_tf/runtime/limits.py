"""Requests that no machine like this one can meet, refused before anything is built.

Every estimate is a lower bound of what must lie in memory at once, held against all the memory
there is, whoever uses it now: what could work is never refused. What is refused would have ended,
often hours later, in a kill without a line.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import inspect
import os
import pathlib
import resource
from collections.abc import Callable, Mapping
from typing import NamedTuple

from absl import flags

from spectral_tf.errors import UserError

# Steps are counted, and tensors are measured, in these.
_INT32 = 2**31 - 1
# To load TensorFlow and compile one product took 2.7 GB of address space; at 2.56 GB it crashed.
_ADDRESS_SPACE = 2_600_000_000
_FLOAT32 = 4
# A layer of 4 units took 6.6 MB, nearly all of it while it was compiled.
_LAYER = 1_000_000
_DEVICES = ("/dev/nvidia[0-9]*", "/dev/accel*", "/dev/vfio/[0-9]*", "/dev/kfd")


class Need(NamedTuple):
    """What some flags ask for.

    Attributes:
      what: in words.
      least: the flags' values by name -> bytes, never more than is really taken. It applies where a
        page has all flags that have no default here.
      without: flags of pages where it does not apply.
    """

    what: str
    least: Callable[..., float]
    without: tuple[str, ...] = ()


def _weights(width: int, depth: int, num_runs: int = 1, *, copies: int) -> float:
    return _FLOAT32 * copies * num_runs * (max(depth - 2, 0) * width**2 + 2 * width)


def _stacked(width: int, depths: int, num_networks: int) -> float:
    return _weights(width, depths, num_networks, copies=1)


def _wide(wide_width: int, num_runs: int = 1, *, copies: int) -> float:
    return _FLOAT32 * copies * num_runs * 4 * wide_width


def _kernels(width: int, *, copies: int) -> float:
    return _FLOAT32 * copies * 9 * width**2


def _several_widths(widths: int) -> float:
    return _FLOAT32 * widths**2


def _layers(depth: int) -> float:
    return _LAYER * depth


def _several_depths(depths: int, num_steps: int) -> float:  # Of a page that trains them.
    return _LAYER * depths * min(num_steps, 1)


def _series(num_steps: int, probe_every: int, num_runs: int = 1) -> float:
    return num_steps / probe_every * (40 + 8 * num_runs)


def _samples(num_samples: int, width: int, num_runs: int = 1) -> float:
    return _FLOAT32 * num_samples * (width + num_runs)


def _curves(num_norms: int, num_directions: int, num_runs: int = 1) -> float:
    return 8 * num_norms * num_directions * num_runs


def _paths(pairs: int, num_samples: int) -> float:
    # In each of two classes: both images and eight measures of every path. Of one path the outputs
    # for two classes, and their spectra in float64.
    return 2 * (2 * 8 + 8 * _FLOAT32) * pairs + 24 * num_samples


def _trainings(seeds: int) -> float:
    return 100 * seeds


def _log_ratios(seeds: int, directions: int, num_epochs: int) -> float:
    # `noise_fitting` brings together what all have predicted: of a wave at the least and the
    # control, after every epoch, for 100 images or more, in float64.
    return 8 * 100 * 2 * seeds * directions * (num_epochs + 1)


# A SIREN and a Kolmogorov-Arnold network of `own_models` are counted otherwise: width and depth
# are theirs in part.
_PERCEPTRONS = ("networks", "pairs")
_NEEDS = (
    Need("the weights of the networks", _weights, _PERCEPTRONS),
    Need("the weights of the networks", _stacked),
    Need("the weights of the networks", _wide),
    Need("the weights of the network", _kernels, ("depth", "depths", "wide_width")),
    Need("the weights of the widest network", _several_widths),
    Need("the layers while they are compiled", _layers, _PERCEPTRONS),
    Need("the layers while they are compiled", _several_depths),
    Need("what is measured step by step", _series),
    Need("the samples and what one layer makes of them", _samples, (*_PERCEPTRONS, "depths")),
    Need("the perturbed networks' spectra", _curves),
    Need("what the paths give", _paths),
    Need("the list of trainings", _trainings),
    Need("what the networks predict", _log_ratios),
)


def refuse_beyond_reach() -> None:
    """Raises a UserError for flags of the launcher that ask for more than this machine holds."""
    module = flags.FLAGS.find_module_defining_flag("workdir")
    given, usual = {}, {}
    for flag in flags.FLAGS.get_key_flags_for_module(module):
        if (number := _number(flag.value)) is not None:
            given[flag.name], usual[flag.name] = number, _number(flag.default) or 1
    refuse(given, usual, memory(), on_host=not _accelerators())


def refuse(
    given: Mapping[str, int], usual: Mapping[str, int], bytes_there: float, *, on_host: bool
) -> None:
    """The same of any numbers.

    Args:
      given: {flag: its number, of a list the largest}.
      usual: {flag: its default}; what is farthest from it is named.
      bytes_there: of memory.
      on_host: whether it holds what is trained; else an accelerator does, and it the first weights.

    Raises:
      UserError: it names the largest number that fits.
    """
    for name, number in given.items():
        if name != "seed" and number > _INT32:
            raise UserError(
                f"--{name}",
                expected=f"at most {_INT32:,}, which a 32-bit number holds",
                got=f"{number:,}",
                hint="lower it",
            )
    for need in _NEEDS:
        taken = inspect.signature(need.least).parameters
        wanted = [n for n, p in taken.items() if p.default is p.empty and n != "copies"]
        if given.keys() & set(need.without) or not given.keys() >= set(wanted):
            continue
        values = {name: max(1, given[name]) for name in taken if name in given}
        # A moment beside them at the least.
        fixed = {"copies": 2 if on_host else 1} if "copies" in taken else {}
        _refuse_need(need, values, usual, bytes_there, fixed)


def _refuse_need(
    need: Need,
    values: Mapping[str, int],
    usual: Mapping[str, int],
    bytes_there: float,
    fixed: Mapping[str, int],
) -> None:
    asked = need.least(**values, **fixed)
    if asked <= bytes_there:
        return
    by_excess = sorted(values, key=lambda name: values[name] / max(1, usual[name]), reverse=True)
    for name in by_excess:
        others = {**fixed, **{n: value for n, value in values.items() if n != name}}
        if most := _most(functools.partial(_with, need.least, name, others), bytes_there):
            raise UserError(
                f"--{name}",
                expected=f"at most {most:,} beside the other flags",
                got=f"{values[name]:,}",
                hint=f"{need.what} would take {_size(asked)} or more, there are "
                f"{_size(bytes_there)} of memory",
            )
    raise UserError(
        " and ".join(f"--{name}" for name in by_excess[:2]),
        expected=f"what {_size(bytes_there)} of memory can hold",
        got=f"{_size(asked)} or more of {need.what}",
        hint="lower both",
    )


def _with(least: Callable[..., float], name: str, others: Mapping[str, int], n: int) -> float:
    return least(**others, **{name: n})


def _most(least: Callable[[int], float], there: float) -> int:
    """The largest number that fits; 0 if none does, or if none is too large."""
    low, high = 0, _INT32
    if least(1) > there or least(high) <= there:
        return 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if least(middle) <= there else (low, middle)
    return low


def memory() -> float:
    """The bytes that this process could ever have: memory and swap, or a limit set to them."""
    known = [_of_machine()]
    with contextlib.suppress(OSError, ValueError):
        for file in ("memory.max", "memory/memory.limit_in_bytes"):
            path = pathlib.Path("/sys/fs/cgroup") / file
            if path.is_file() and (text := path.read_text().strip()) != "max":
                known.append(float(text))
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY:
        known.append(float(limit))
    return min(known)


def _of_machine() -> float:
    try:
        lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
        there = {line.partition(":")[0]: line.split()[1] for line in lines}
        return 1024.0 * (int(there["MemTotal"]) + int(there["SwapTotal"]))
    except (OSError, KeyError, IndexError, ValueError):  # Not Linux.
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def refuse_narrow_address_space() -> None:
    """Raises a UserError if a limit of the shell leaves no room to load TensorFlow.

    It would end in a crash without a line.
    """
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < _ADDRESS_SPACE:
        raise UserError(
            "address space",
            expected=f"{_size(_ADDRESS_SPACE)} or more, which TensorFlow takes to load and compile",
            got=f"{_size(limit)} (ulimit -v)",
            hint="raise the limit: ulimit -v unlimited",
        )


def _accelerators() -> bool:
    asked = "tpu" in flags.FLAGS and flags.FLAGS.tpu
    return bool(asked or os.environ.get("TPU_NAME") or any(map(glob.glob, _DEVICES)))


def _number(value: object) -> int | None:
    """A flag's number, of a list of numbers the largest; None of anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, list) and value:
        with contextlib.suppress(ValueError):
            return max(int(str(word)) for word in value)
    return None


def _size(count: float) -> str:
    return f"{count / 1e9:,.1f} GB"
