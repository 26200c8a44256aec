"""The hosts of a run, as the variable TF_CONFIG tells them."""

import json
import os
from typing import Any

from spectral_tf.errors import UserError


def _tf_config() -> dict[str, Any]:
    text = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(text or "{}")
        return {"cluster": dict(config.get("cluster", {})), "task": dict(config.get("task", {}))}
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(
            "TF_CONFIG",
            expected="JSON with a cluster and a task",
            got=repr(text),
            hint="mend or unset the variable",
        ) from error


def workers() -> list[str]:
    """The addresses of all workers, the chief first; empty without TF_CONFIG.

    Raises:
      UserError: TF_CONFIG is not what TensorFlow expects.
    """
    cluster = _tf_config()["cluster"]
    return [*cluster.get("chief", []), *cluster.get("worker", [])]


def is_chief(strategy: str = "auto", tpu: str = "") -> bool:
    """Whether this process is the one that writes, under a strategy of that name.

    A TPU, named by `tpu` or TPU_NAME, is driven by one process, whatever TF_CONFIG says.

    Raises:
      UserError: TF_CONFIG is not what TensorFlow expects, or missing for multi_worker.
    """
    if strategy == "multi_worker" and not workers():
        raise UserError(
            "--strategy=multi_worker",
            expected="the variable TF_CONFIG with a cluster of workers and this task",
            got="none",
            hint="set it on every host, or use --strategy=default",
        )
    on_tpu = strategy == "auto" and bool(tpu or os.environ.get("TPU_NAME"))
    if on_tpu or strategy not in ("auto", "multi_worker") or len(workers()) < 2:
        return True
    config = _tf_config()
    kind, index = config["task"].get("type"), config["task"].get("index")
    return kind == "chief" or (kind == "worker" and index == 0 and "chief" not in config["cluster"])
