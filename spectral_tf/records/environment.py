"""What a run was made with."""

import contextlib
import datetime
import importlib.metadata
import os
import pathlib
import platform
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

import spectral_tf
from spectral_tf.records import products
from spectral_tf.records.commit import git_commit

_OPTIONAL = ("torch", "finufft", "scikit-learn")
_PACKAGES = ("keras", "numpy", "scipy", "tensorboard", "tensorflow-datasets", "matplotlib")


def versions() -> dict[str, str]:
    """Those of Python, TensorFlow and the packages that numbers and files may depend on."""
    found = {"python": platform.python_version(), "tensorflow": tf.__version__}
    for package in _PACKAGES:
        found[package] = importlib.metadata.version(package)
    for package in _OPTIONAL:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def environment(
    strategy: tf.distribute.Strategy,
    seed: int,
    data: Mapping[str, Any] | None = None,
    *,
    deterministic: bool = False,
) -> dict[str, Any]:
    """Versions, devices, strategy, seed, time of start and, if known, the git commit.

    Also what precision the devices really compute float32 products in, which is measured here.
    Nothing in it names the machine or its user.

    Args:
      strategy: of the run.
      seed: of the run.
      data: what is to be recorded about its data set, if it has one.
      deterministic: whether all operations give the same bits every time.
    """
    return {
        "spectral_tf": spectral_tf.__version__,
        "git_commit": git_commit(),
        "versions": versions(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu_count": os.cpu_count(),
        "cores": tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count(),
        "devices": [device_name(device) for device in tf.config.list_physical_devices()],
        "strategy": type(strategy).__name__,
        "num_replicas": strategy.num_replicas_in_sync,
        "float32_products": products.record(strategy),
        "deterministic": deterministic,
        "seed": seed,
        **({"data": dict(data)} if data else {}),
        "start_utc": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def device_name(device: tf.config.PhysicalDevice) -> str:
    """What its maker calls it."""
    if device.device_type != "CPU":
        details = tf.config.experimental.get_device_details(device)
        return str(details.get("device_name", device.device_type))
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return f"CPU {platform.processor()}".strip()
