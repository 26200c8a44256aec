"""tf.distribute strategies by name."""

import os

import keras
import tensorflow as tf
from absl import logging

from spectral_tf.errors import UserError
from spectral_tf.runtime import peers
from spectral_tf.runtime.cluster import cluster, is_chief, workers
from spectral_tf.runtime.cores import use_cores
from spectral_tf.runtime.launch import flag


def make_strategy(
    name: str = "auto",
    tpu: str = "",
    startup_seconds: float = 300.0,
    *,
    cores: int = 0,
    precision: str = "float32",
    deterministic: bool = False,
    seed: int = 0,
) -> tf.distribute.Strategy:
    """The strategy that a `--strategy` flag names; call it before anything else uses TensorFlow.

    * auto: tpu if `tpu` or the variable TPU_NAME is set, multi_worker if TF_CONFIG lists several
      workers, mirrored if there are two or more GPUs, else default;
    * default: one device;
    * mirrored: all GPUs of this host, or all logical CPUs if there are none;
    * multi_worker: the workers of TF_CONFIG, one process each;
    * tpu: the TPU of that name; `local` for the TPU of this machine.

    float32 products are computed as such: TensorFloat-32 on GPUs and bfloat16 passes on TPUs, both
    TensorFlow's defaults, are switched off, unless they are asked for. GPUs give memory as it is
    needed, so that several processes can share one.

    Args:
      name, tpu: as above.
      startup_seconds: longest wait for hosts or a TPU; then a line ends the process.
      cores: of this host's processor to compute on; 0: all (see `use_cores`).
      precision: `tf32` lets devices round the factors of float32 products; else they may not.
      deterministic: whether only operations run that give the same bits every time. Those without
        such a form fail.
      seed: of draws that nobody has given a seed, at least 0; only where `deterministic`.

    Raises:
      UserError: an unknown name, more cores than there are, no TF_CONFIG for multi_worker or one
        that is malformed, a port of this host that is taken, no TPU for tpu.
    """
    use_cores(cores)
    _let_memory_grow()
    tf.config.experimental.enable_tensor_float_32_execution(precision == "tf32")
    if deterministic:
        keras.utils.set_random_seed(seed % 2**32)  # Draws without a seed are refused from here on.
        tf.config.experimental.enable_op_determinism()
    tpu = tpu or os.environ.get("TPU_NAME", "")
    if name == "auto":
        several_gpus = len(tf.config.list_physical_devices("GPU")) > 1
        name = (
            "tpu"
            if tpu
            else "multi_worker"
            if len(workers()) > 1
            else "mirrored"
            if several_gpus
            else "default"
        )
    if name == "default":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
        return tf.distribute.MirroredStrategy(
            [device.name for device in tf.config.list_logical_devices(kind)]
        )
    if name == "multi_worker":
        is_chief(name)  # Refuses a missing TF_CONFIG.
        return _strategy_of_hosts(startup_seconds)
    if name == "tpu":
        missing = (
            f"--startup_timeout_seconds: expected a TPU named {tpu or 'local'} within "
            f"{startup_seconds:g} s, got no answer; look whether it is ready and the name is its"
        )
        with peers.within(startup_seconds, missing):
            return _tpu_strategy(tpu)
    raise UserError(
        "--strategy",
        expected="auto, default, mirrored, multi_worker or tpu",
        got=name,
        hint="choose one",
    )


def strategy_of_flags() -> tf.distribute.Strategy:
    """That which the shared flags name; see `make_strategy`."""
    return make_strategy(
        flag("strategy"),
        flag("tpu"),
        flag("startup_timeout_seconds"),
        cores=flag("cores"),
        precision=flag("precision", "float32"),
        deterministic=flag("deterministic"),
        seed=flag("seed"),
    )


def _let_memory_grow() -> None:
    """Lets GPUs give memory as it is needed; TensorFlow's default is all of it to the first."""
    try:
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
    except (RuntimeError, ValueError) as error:
        logging.warning(
            "this process may take all memory of a GPU: growth cannot be set (%s)",
            str(error).splitlines()[0],
        )


def _strategy_of_hosts(seconds: float) -> tf.distribute.Strategy:
    hosts = cluster()
    if hosts is None or len(hosts.names) < 2:
        return tf.distribute.MultiWorkerMirroredStrategy()
    address = hosts.addresses[hosts.own]
    peers.wait_for_all(hosts, seconds)
    try:
        with peers.within(seconds, peers.not_one(seconds)):
            return tf.distribute.MultiWorkerMirroredStrategy()
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        raise UserError(
            "--strategy=multi_worker",
            expected=f"the hosts of TF_CONFIG to join at {address}",
            got=f"{type(error).__name__}: {str(error).splitlines()[0][:160]}",
            hint="start the same command on all hosts again",
        ) from error


def _tpu_strategy(tpu: str) -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=tpu or "local")
        if tpu not in ("", "local"):
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        raise UserError(
            "--strategy=tpu",
            expected=f"a TPU named {tpu or 'local'} and the wheel tensorflow-tpu",
            got=f"{type(error).__name__}: {str(error).splitlines()[0][:160]}",
            hint="pip install 'spectral-tf[tpu]' on the TPU VM and give its name with --tpu",
        ) from error
    return tf.distribute.TPUStrategy(resolver)
