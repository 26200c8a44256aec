"""tf.distribute strategies by name."""

import os

import tensorflow as tf

from spectral_tf.errors import UserError
from spectral_tf.runtime import peers
from spectral_tf.runtime.cluster import cluster, is_chief, workers


def make_strategy(
    name: str = "auto", tpu: str = "", startup_seconds: float = 300.0
) -> tf.distribute.Strategy:
    """The strategy that a `--strategy` flag names; call it before anything else uses TensorFlow.

    * auto: tpu if `tpu` or the variable TPU_NAME is set, multi_worker if TF_CONFIG lists several
      workers, mirrored if there are two or more GPUs, else default;
    * default: one device;
    * mirrored: all GPUs of this host, or all logical CPUs if there are none;
    * multi_worker: the workers of TF_CONFIG, one process each;
    * tpu: the TPU of that name; `local` for the TPU of this machine.

    float32 products are computed as such: TensorFloat-32 on GPUs and bfloat16 passes on TPUs, both
    TensorFlow's defaults, are switched off.

    Hosts or a TPU that do not come within `startup_seconds` end the process with a line.

    Raises:
      UserError: an unknown name, no TF_CONFIG for multi_worker or one that is malformed, a port of
        this host that is taken, no TPU for tpu.
    """
    tf.config.experimental.enable_tensor_float_32_execution(False)
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
