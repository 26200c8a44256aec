"""The hosts of a run, as the variable TF_CONFIG tells them."""

import collections
import json
import os
from typing import NamedTuple

from spectral_tf.errors import UserError

# Those that train together; others (ps, evaluator) have no part here.
_JOBS = ("chief", "worker")


class Cluster(NamedTuple):
    """The hosts that train together, and which of them this process is.

    Attributes:
      names: such as `worker 1`, the chief first.
      addresses: `HOST:PORT` of each.
      own: place of this process among them.
    """

    names: list[str]
    addresses: list[str]
    own: int


def _tf_config() -> Cluster | None:
    """What TF_CONFIG says, looked at in all that TensorFlow would wait for or fail at later."""
    text = os.environ.get("TF_CONFIG", "").strip()
    if not text:
        return None
    try:
        config = json.loads(text)
    except ValueError as error:
        raise _malformed("JSON with a cluster and a task", repr(text[:160])) from error
    cluster = config.get("cluster") if isinstance(config, dict) else None
    if isinstance(config, dict) and not cluster and not config.get("task"):
        return None
    if not isinstance(cluster, dict) or not all(
        isinstance(each, list) and each and all(isinstance(address, str) for address in each)
        for each in cluster.values()
    ):
        raise _malformed(
            "JSON with a cluster and a task, "
            'such as {"cluster": {"worker": ["a:1234", "b:1234"]}, "task": {"type": "worker", '
            '"index": 0}}',
            repr(text[:160]),
        )
    of_job = {job: cluster.get(job, []) for job in _JOBS}
    names = [f"{job} {i}" for job, each in of_job.items() for i in range(len(each))]
    addresses = [address for each in of_job.values() for address in each]
    _refuse_addresses(addresses)
    if len(of_job["chief"]) > 1:
        raise _malformed("one chief", f"{len(of_job['chief'])}")
    task = config.get("task")
    kind, index = (task.get("type"), task.get("index")) if isinstance(task, dict) else (None, None)
    whole = isinstance(index, int) and not isinstance(index, bool)
    own = f"{kind} {index}"
    if not whole or own not in names:
        raise _malformed(
            f"a task of this cluster ({', '.join(names) or 'which has neither chief nor worker'})",
            f"the task {json.dumps(task)}",
        )
    return Cluster(names, addresses, names.index(own))


def _refuse_addresses(addresses: list[str]) -> None:
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65_536:
            raise _malformed("addresses HOST:PORT with ports of 1 to 65535", repr(address))
    (most, count), *_ = collections.Counter(addresses).most_common(1) or [("", 0)]
    if count > 1:
        raise _malformed("an address of its own for every task", f"{most} {count} times")


def _malformed(expected: str, got: str) -> UserError:
    return UserError("TF_CONFIG", expected=expected, got=got, hint="mend or unset the variable")


def cluster() -> Cluster | None:
    """The hosts of TF_CONFIG; None without one, or if it tells of no cluster.

    Raises:
      UserError: TF_CONFIG is not what TensorFlow expects: no JSON, other types, addresses that are
        none or come twice, a task that is not in the cluster.
    """
    return _tf_config()


def workers() -> list[str]:
    """The addresses of all workers, the chief first; empty without TF_CONFIG.

    Raises:
      UserError: as `cluster`.
    """
    told = _tf_config()
    return told.addresses if told else []


def several_hosts(strategy: str = "auto", tpu: str = "") -> bool:
    """Whether a strategy of that name joins the processes of TF_CONFIG, two at least.

    A TPU, named by `tpu` or TPU_NAME, is driven by one process, whatever TF_CONFIG says.

    Raises:
      UserError: as `cluster`.
    """
    on_tpu = strategy == "auto" and bool(tpu or os.environ.get("TPU_NAME"))
    return not on_tpu and strategy in ("auto", "multi_worker") and len(workers()) > 1


def is_chief(strategy: str = "auto", tpu: str = "") -> bool:
    """Whether this process is the one that writes, under a strategy of that name.

    Raises:
      UserError: as `cluster`; no TF_CONFIG for multi_worker.
    """
    if strategy == "multi_worker" and not workers():
        raise UserError(
            "--strategy=multi_worker",
            expected="the variable TF_CONFIG with a cluster of workers and this task",
            got="none",
            hint="set it on every host, or use --strategy=default",
        )
    told = _tf_config() if several_hosts(strategy, tpu) else None
    return told is None or told.own == 0
