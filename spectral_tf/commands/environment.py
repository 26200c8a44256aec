"""What this machine is and has, for a bug report: versions, devices, precision, data.

usage: spectral-tf environment [--json] [--data_dir=FOLDER]

Prints versions, the commit of a clone, devices and what precision they really multiply in, the
variables that decide where to compute, which data sets are prepared, and which file systems can be
opened. With --json the same as one JSON object. A part that cannot be told says why; none of it
names the user, and variables are shown by their values only where these are no secrets.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import platform
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import spectral_tf
from spectral_tf import program
from spectral_tf.errors import UserError, nearest

_PACKAGES = (
    *("tensorflow", "tensorflow-cpu", "tensorflow-tpu", "keras", "tensorboard"),
    *("tensorflow-datasets", "numpy", "scipy", "matplotlib", "scikit-learn", "scikit-image"),
    *("absl-py", "etils"),
)
# {extra of the package: what it brings}.
_EXTRAS = {
    "finufft": ("finufft",),
    "torch": ("torch",),
    "torchvision": ("torchvision",),
    "jax": ("jax", "optax"),
    "s3": ("s3fs",),
}
# They decide where and how something is computed; none holds a secret.
_VARIABLES = (
    *("CUDA_VISIBLE_DEVICES", "TPU_NAME", "TF_CONFIG", "KERAS_BACKEND", "KERAS_HOME"),
    *(
        "TFDS_DATA_DIR",
        "TF_CPP_MIN_LOG_LEVEL",
        "TF_ENABLE_ONEDNN_OPTS",
        "XLA_FLAGS",
        "TF_XLA_FLAGS",
    ),
    *("TF_SET_ONEDNN_FPMATH_MODE", "NVIDIA_TF32_OVERRIDE", "OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT"),
    *("TF_FORCE_GPU_ALLOW_GROWTH", "LD_PRELOAD"),
)


def main(arguments: Sequence[str]) -> int:
    """Prints it.

    Raises:
      UserError: an argument that it does not know.
    """
    if {"-h", "--help"} & set(arguments):
        print((__doc__ or "").strip())
        return 0
    data_dir = ""
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name == "--data_dir" and value:
            data_dir = value
        elif argument != "--json":
            raise UserError(
                argument,
                expected="--json or --data_dir=FOLDER",
                got="something else",
                hint=nearest(name, ["--json", "--data_dir"], "leave it out"),
            )
    found = collected(data_dir)
    print(json.dumps(found, indent=2) if "--json" in arguments else readable(found))
    return 0


def collected(data_dir: str = "") -> dict[str, Any]:
    """{part: what is told of it}; of a part that fails the reason, as {"error": ...}.

    Args:
      data_dir: of prepared data sets; default: as for experiments.
    """
    parts: dict[str, Callable[[], Any]] = {
        "spectral_tf": _package,
        "system": _system,
        "versions": _versions,
        "extras": _extras,
        "variables": _variables,
        "devices": _devices,
        "data": lambda: _data(data_dir),
        "file_systems": _file_systems,
    }
    return {name: _told(part) for name, part in parts.items()}


def _told(part: Callable[[], Any]) -> Any:
    try:
        return part()
    except Exception as error:  # It is for a report of what is broken.
        return {"error": " ".join(f"{type(error).__name__}: {error}".split())[:300]}


def _package() -> dict[str, Any]:
    from spectral_tf.records.commit import git_commit

    return {
        "version": spectral_tf.__version__,
        "installed": "clone" if program.results() else "package",
        "git_commit": git_commit(),
        "experiments": len(list(program.folder().glob("[!_]*.py"))),
    }


def _system() -> dict[str, Any]:
    from spectral_tf.runtime import limits
    from spectral_tf.runtime.cores import available_cores

    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()).strip(),
        "cpu_count": os.cpu_count(),
        "cores": _told(available_cores),
        "memory_gb": _told(lambda: round(limits.memory() / 1e9, 1)),
        "free_disk_gb": _told(lambda: round(shutil.disk_usage(".").free / 1e9, 1)),
        "terminal": sys.stdout.isatty(),
    }


def _variables() -> dict[str, str]:
    """{variable that is set: its value}; of addresses that it is set, folders from ~ on."""
    told = {name: _without_home(os.environ[name]) for name in _VARIABLES if name in os.environ}
    return told | dict.fromkeys(told.keys() & {"TF_CONFIG", "TPU_NAME"}, "set")


def _without_home(text: str) -> str:
    return text.replace(os.path.expanduser("~"), "~")


def _version(package: str) -> str | None:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(package)
    return None


def _there(module: str) -> bool:
    """Whether a module can be imported; nothing is."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _versions() -> dict[str, str]:
    return {package: version for package in _PACKAGES if (version := _version(package))}


def _extras() -> dict[str, str]:
    """{extra: versions of what it brings, or how to get it}."""
    found = {}
    for extra, packages in _EXTRAS.items():
        versions = [_version(package) for package in packages]
        there = ", ".join(f"{p} {v}" for p, v in zip(packages, versions, strict=True) if v)
        missing = f"not installed: pip install 'spectral-tf[{extra}]'"
        found[extra] = there if all(versions) else missing
    return found


def _devices() -> dict[str, Any]:
    """What TensorFlow sees, on how many cores, in which precision it multiplies."""
    from spectral_tf.runtime import startup_lines

    startup_lines.keep_off(several_hosts=False)
    if not _there("tensorflow"):
        from spectral_tf.lazy import NO_TENSORFLOW

        return {"tensorflow": NO_TENSORFLOW}
    import tensorflow as tf

    from spectral_tf.records import environment, products
    from spectral_tf.runtime.cores import cores

    # As experiments have it, unless --precision asks for it.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    physical = tf.config.list_physical_devices()
    told: dict[str, Any] = {
        "devices": [f"{d.device_type}: {environment.device_name(d)}" for d in physical],
        "built_with_cuda": tf.test.is_built_with_cuda(),
        "cores": _told(cores),
    }
    if os.environ.get("TF_CONFIG") or os.environ.get("TPU_NAME"):
        told["strategy"] = "several hosts or a TPU are named: precision is measured in a run"
        return told
    gpus = [d for d in physical if d.device_type == "GPU"]
    told["strategy"] = "mirrored" if len(gpus) > 1 else "default"
    told["float32_products"] = _told(lambda: products.record(tf.distribute.get_strategy()))
    return told


def _data(data_dir: str) -> dict[str, Any]:
    """The folder of data sets, and those that are prepared in it."""
    given = data_dir or os.environ.get("TFDS_DATA_DIR")
    folder = pathlib.Path(given or "~/tensorflow_datasets").expanduser()
    prepared = sorted(file.parent for file in folder.glob("*/**/dataset_info.json"))
    there = folder.is_dir()
    return {
        "folder": _without_home(str(folder)),
        "exists": there,
        "writable": os.access(folder if there else folder.parent, os.W_OK),
        "prepared": ["/".join(each.relative_to(folder).parts) for each in prepared],
        "embedded": {
            name: "there" if _there(module) else f"needs {package}"
            for name, module, package in (
                ("digits", "sklearn", "scikit-learn"),
                ("photo_patches", "skimage", "scikit-image"),
            )
        },
    }


def _file_systems() -> dict[str, str]:
    """{scheme: what opens it}."""
    schemes = {"a path": "this machine"}
    schemes["gs://"] = "TensorFlow" if _there("tensorflow") else "nothing: it needs TensorFlow"
    schemes["s3://"] = "s3fs" if _version("s3fs") else "nothing: pip install 'spectral-tf[s3]'"
    return schemes


def readable(found: dict[str, Any]) -> str:
    """The same as text."""
    lines = []
    for part, told in found.items():
        lines += ["", part.replace("_", " ").replace("spectral tf", "package")]
        entries = told.items() if told else [("none set", "")]
        for name, value in entries:
            lines += _entry(str(name), value)
    return "\n".join(lines[1:])


def _entry(name: str, value: Any) -> list[str]:
    if isinstance(value, dict):
        value = ", ".join(f"{key} {of}" for key, of in value.items())
    elif isinstance(value, list):
        value = ", ".join(map(str, value)) or "none"
    elif isinstance(value, bool):
        value = "yes" if value else "no"
    elif value is None:
        value = "unknown"
    width = max(shutil.get_terminal_size().columns - 1, 60)
    first = f"  {name.replace('_', ' ') if name.islower() else name:<28}"
    return textwrap.wrap(
        str(value),
        width,
        initial_indent=first,
        subsequent_indent=" " * 30,
        break_on_hyphens=False,
        break_long_words=False,
    ) or [first.rstrip()]
