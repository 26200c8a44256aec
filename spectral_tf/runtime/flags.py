"""The flags that all launchers share, each defined once."""

import contextlib
import math
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, TypeVar

from absl import flags

from spectral_tf.errors import UserError, nearest

STRATEGIES = ("auto", "default", "mirrored", "multi_worker", "tpu")

# The flags belong to the launcher that calls `define_run_flags`.
flags.disclaim_key_flags()

# They say where and how a run is made, not what it computes: not part of its configuration.
NOT_CONFIGURATION = (
    *("workdir", "overwrite", "save_every_seconds", "strategy", "tpu"),
    *("data_dir", "download", "manual_dir", "shard", "report_only", "startup_timeout_seconds"),
    *("cores", "quiet"),
)

# They came when there were run folders already, which must be known as runs of the same flags: at
# their defaults they are in no flagfile.
LATER = (
    *("train_split", "channels_first", "compiled", "deterministic", "waves", "num_waves"),
    *("autoencoder", "output_std"),
    *("network_options", "option_sets", "stop_at_accuracy", "stop_at_loss", "looks_per_epoch"),
    *("end_on", "also_along", "jacobian_points", "shifted", "transforms"),
    *("sine_frequencies", "sine_runs", "sine_samples", "sine_stable_share", "sine_steps"),
)


_OUTPUTS = ("logits", "probabilities", "sigmoids")
_INPUTS = (
    "standard (of the data set), unit (0 to 1), bytes (0 to 255, also of a network that rescales), "
    "signed (-1 to 1), imagenet, MEAN:DEVIATION of pixels in [0, 1] (once or for each channel), or "
    "MODULE:FUNCTION; then, if need be, bgr and channels_first. That of a run is known."
)

# Headings under which flags are explained; those of one experiment come before these.
SUBJECT, NETWORK, TRAINING = "Measured network", "Network", "Training"
IMAGES, RUN, DEVICES = "Images", "Run", "Devices"
PATHS = "Paths"


@contextlib.contextmanager
def flag_group(heading: str) -> Iterator[None]:
    """Puts the flags that are defined within under a heading of `--help` and of the documents.

    Flags that are under one already stay there.
    """
    before = set(flags.FLAGS)
    yield
    for name in set(flags.FLAGS) - before:
        if not hasattr(flags.FLAGS[name], "group"):
            flags.FLAGS[name].group = heading


def define_run_flags(
    experiment: str, *, resumes: bool = True, distributes: bool = True, reports: bool = False
) -> None:
    """Defines the flags of every run, for a launcher of the given name.

    Args:
      experiment: names the default folder.
      resumes: whether a killed run can go on; else there is no `--save_every_seconds`.
      distributes: whether it runs under other strategies; else there is no `--strategy`.
      reports: whether its report can be made again of what was found.
    """
    with flag_group(RUN):
        flags.DEFINE_string(
            "workdir",
            f"runs/{experiment}",
            "Folder of the run: flags, tables, figures, TensorBoard events, state to resume from.",
        )
        flags.DEFINE_integer("seed", 0, "Root of all random draws of the run.", lower_bound=0)
        flags.DEFINE_bool(
            "overwrite", False, "Removal of the run that the folder holds, to start anew."
        )
        flags.DEFINE_bool(
            "quiet", False, "No progress and no log but warnings; findings at the end."
        )
        if reports:
            flags.DEFINE_bool(
                "report_only",
                False,
                "Tables and figures alone, made again of what the run has measured.",
            )
        if resumes:
            # Each makes two files.
            define_finite_float(
                "save_every_seconds",
                60.0,
                "Seconds between two saved states; a killed run loses no more than that.",
                at_least=1.0,
            )
    if not distributes:
        return
    with flag_group(DEVICES):
        flags.DEFINE_enum(
            "strategy",
            "auto",
            STRATEGIES,
            "Devices to compute on. auto: a TPU if --tpu or TPU_NAME names one, several hosts if "
            "TF_CONFIG does, all GPUs if there are two or more, else the one device.",
        )
        flags.DEFINE_string(
            "tpu", "", "Name or address of the TPU, `local` on a TPU VM; default: TPU_NAME."
        )
        define_cores_flag()
        define_finite_float(
            "startup_timeout_seconds",
            300.0,
            "Longest wait for a TPU or for the other hosts of TF_CONFIG, in seconds.",
            at_least=1.0,
        )
        flags.DEFINE_bool(
            "deterministic",
            False,
            "Operations that give the same bits every time, on GPUs, too (slower).",
        )


def define_cores_flag() -> None:
    """Defines the flag of the processor cores; of `define_run_flags` where it distributes."""
    with flag_group(DEVICES):
        flags.DEFINE_integer(
            "cores", 0, "Processor cores to compute on; 0: all that this process may use.", 0
        )


def define_network_flags(
    activations: Sequence[str],
    precisions: Sequence[str],
    *,
    width: int = 256,
    depth: int = 6,
    learning_rate: float = 3e-4,
) -> None:
    """Defines the flags of a fully connected network and its optimiser."""
    with flag_group(NETWORK):
        flags.DEFINE_integer("width", width, "Units of each hidden layer.", 1)
        flags.DEFINE_integer("depth", depth, "Linear layers, the output layer included.", 1)
        flags.DEFINE_enum(
            "activation", activations[0], activations, "Activation after each hidden layer."
        )
        flags.DEFINE_enum(
            # Without a value it is no part of the configuration of runs that did not know it.
            "precision",
            None,
            precisions,
            "Precision of the factors of matrix products; default: float32.",
        )
        define_learning_rate_flag(learning_rate)


def define_learning_rate_flag(learning_rate: float = 3e-4) -> None:
    """Defines the flag of Adam's rate."""
    with flag_group(NETWORK):
        define_finite_float(
            "learning_rate", learning_rate, "Constant learning rate of Adam.", at_least=1e-12
        )


def define_data_flags(default: str) -> None:
    """Defines the flags that say which images to take and where they lie."""
    with flag_group(IMAGES):
        flags.DEFINE_string(
            "dataset",
            default,
            "Data set: a TFDS name (mnist, cifar10, ...), digits or photo_patches (embedded), "
            "npz:PATH with arrays such as x and y, or folder:PATH with a sub-folder of each class.",
        )
        flags.DEFINE_bool(
            "channels_first",
            None,
            "Order [n, c, h, w] of the images of npz:PATH; default: refused where they look so.",
        )
        define_data_dir_flag()
        flags.DEFINE_bool(
            "download", False, "Permission to fetch and prepare the data set if it is not there."
        )
        flags.DEFINE_string(
            "manual_dir",
            None,
            "Folder of archives that cannot be fetched (ImageNet's), to prepare the data set from.",
        )


def define_data_dir_flag() -> None:
    """Defines the flag of the folder of prepared data sets."""
    with flag_group(IMAGES):
        flags.DEFINE_string(
            "data_dir",
            None,
            "Folder of prepared TFDS data sets; default: TFDS_DATA_DIR or TFDS's own.",
        )


def define_classifier_flags(
    models: Sequence[str], augmentations: Sequence[str], options: Collection[str]
) -> None:
    """Defines the flags of an image classifier: its images, network, training, augmentations."""
    with flag_group(IMAGES):
        flags.DEFINE_string("train_split", "train", "Split to learn from, or a slice: train[:80%].")
        flags.DEFINE_string("held_out", "test", "Split to measure on, of other images.")
        flags.DEFINE_integer(
            "train_size",
            0,
            "Number of training images (TFDS: the first as stored; own: drawn); 0: all.",
            0,
        )
    with flag_group(NETWORK):
        flags.DEFINE_string(
            "model",
            "convnet",
            f"Network: {', '.join(models)}, or the path of a .keras or .h5 file.",
        )
        flags.DEFINE_list(
            "import",
            None,
            "Modules (or paths of .py files) of the layers in your files, imported before these.",
        )
        flags.DEFINE_integer("width", 0, "Channels of its first stage; 0: the network's own.", 0)
        flags.DEFINE_list(
            "network_options",
            [],
            f"Other ways to build it: some of {', '.join(options)}, where it offers them.",
        )
    with flag_group(TRAINING):
        _define_descent_flags()
        _define_goal_flags()
    with flag_group(NETWORK):
        flags.DEFINE_enum(
            "precision",
            "float32",
            ("float32", "tf32", "bfloat16"),
            "Precision of the layers; tf32: float32, but a GPU may round the factors of its "
            "products.",
        )
    with flag_group(TRAINING):
        _define_augmentation_flags(augmentations)


def _define_descent_flags() -> None:
    flags.DEFINE_integer("num_epochs", 20, "Passes over the training images (paper: 200).", 1)
    flags.DEFINE_integer("batch_size", 128, "Images in a step, over all replicas (paper: 256).", 1)
    define_finite_float(
        "learning_rate",
        0.1,
        "Highest learning rate, from which it falls as a cosine.",
        at_least=1e-12,
    )
    define_finite_float(
        "warmup_epochs", 0.0, "Epochs over which the learning rate rises first.", at_least=0.0
    )
    define_finite_float(
        "momentum", 0.9, "Momentum of SGD, after Nesterov.", at_least=0.0, at_most=0.999999
    )
    define_finite_float("weight_decay", 5e-4, "Factor of (1/2) |w|^2 in the loss.", at_least=0.0)
    flags.DEFINE_bool(
        "decay_all", True, "Decay of biases and normalisations, too, as it was published."
    )
    define_finite_float(
        "clip_norm",
        5.0,
        "Longest gradient, to which longer ones are clipped; 0: any.",
        at_least=0.0,
    )


def _define_goal_flags() -> None:
    define_finite_float(
        "stop_at_accuracy",
        0.0,
        "Accuracy on the held-out images at which a training ends; 0: none.",
        at_least=0.0,
        at_most=1.0,
    )
    define_finite_float(
        "stop_at_loss",
        0.0,
        "Training loss since the last look, in nats, at which a training ends; 0: none.",
        at_least=0.0,
    )
    flags.DEFINE_integer(
        "looks_per_epoch", 1, "Looks in each epoch at what a training is to end at.", 1
    )


def _define_augmentation_flags(augmentations: Sequence[str]) -> None:
    flags.DEFINE_bool("compiled", False, "Steps compiled by XLA, where there is one replica.")
    flags.DEFINE_list(
        "augmentations",
        [],
        f"Augmentations: some of {', '.join(augmentations)}; always done in this order.",
    )
    define_finite_float(
        "mixup_alpha", 0.0, "alpha of mixup's Beta(alpha, alpha); 0: no mixup.", at_least=0.0
    )
    flags.DEFINE_bool(
        "mixup_per_example", False, "Mixtures drawn for each example, not for each batch."
    )


def define_subject_flags(
    models: Sequence[str], augmentations: Sequence[str], options: Collection[str]
) -> None:
    """Defines the flags of a classifier that is measured: a saved one, or else one to train."""
    with flag_group(SUBJECT):
        flags.DEFINE_string(
            "from_run",
            "",
            "Classifier to measure: a .keras or .h5 file, a SavedModel, or a run folder; default: "
            "one that is trained first.",
        )
        flags.DEFINE_string(
            "application", "", "Network of keras.applications to measure, such as ResNet50."
        )
        flags.DEFINE_string(
            "weights",
            "",
            "Weights of --application: imagenet (Keras fetches them), a PATH, or random.",
        )
        flags.DEFINE_integer(
            "side",
            0,
            "Side of the square inputs of --application, in pixels; 0: that of the published "
            "weights.",
            0,
        )
        flags.DEFINE_enum("outputs", "logits", _OUTPUTS, "Outputs of the model.")
        flags.DEFINE_string("normalisation", "standard", f"Inputs of a --from_run file: {_INPUTS}")
    define_classifier_flags(models, augmentations, options)


def define_contract_flags(of: str, *, outputs: bool = True) -> None:
    """Defines the flags that say what a second network beside the measured one wants and gives.

    Args:
      of: name of the flag of its file.
      outputs: whether what it gives is used.
    """
    flags.DEFINE_string(
        f"{of}_normalisation", None, f"Inputs of a --{of} file, as --normalisation says: {_INPUTS}"
    )
    if outputs:
        flags.DEFINE_enum(
            f"{of}_outputs", None, _OUTPUTS, f"Outputs of a --{of} file; default: logits."
        )


def define_seeds_flag(seeds: int) -> None:
    """Defines the flag of the number of networks that are measured."""
    with flag_group(SUBJECT):
        flags.DEFINE_integer(
            "seeds", seeds, "Number of networks that are trained; a saved one is one.", 1
        )


def define_path_flags(num_samples: int = 0, *, pairs: int = 20) -> None:
    """Defines the flags of straight paths between images."""
    with flag_group(PATHS):
        flags.DEFINE_integer(
            "pairs", pairs, "Number of paths within each class, and between each two.", 1
        )
        flags.DEFINE_integer(
            "num_samples",
            num_samples,
            "Samples of each path; 0: one for every unit of distance.",
            0,
        )


def define_shift_flag() -> None:
    """Defines the flag of images of the same classes from elsewhere."""
    with flag_group(IMAGES):
        flags.DEFINE_string(
            "shifted",
            "",
            "Data set of the same classes, collected otherwise (cifar10_1/v6), on which accuracy "
            "is told, too; default: none.",
        )


def define_jacobian_flag() -> None:
    """Defines the flag of the points at which Jacobians are measured."""
    with flag_group(PATHS):
        flags.DEFINE_integer(
            "jacobian_points",
            0,
            "Points of each path, its ends among them, at which norms of the Jacobian are taken "
            "(5 are usual), and at images on no path; 0: none.",
            0,
        )


def check_jacobian_flag(outputs: str = "logits") -> int:
    """The points of `--jacobian_points`.

    Raises:
      UserError: a single point; outputs that are no distribution over the classes.
    """
    points = flags.FLAGS.jacobian_points
    if points == 1:
        raise UserError(
            "--jacobian_points",
            expected="2 or more, the ends of a path among them (0: none)",
            got=points,
            hint="5 are usual",
        )
    if points and outputs == "sigmoids":
        raise UserError(
            "--jacobian_points",
            expected="outputs that are a distribution over the classes",
            got="--outputs=sigmoids",
            hint="leave it out",
        )
    return int(points)


def define_class_subset_flag() -> None:
    """Defines the flag of the classes of a data set that take part."""
    with flag_group(IMAGES):
        flags.DEFINE_list("classes", [], "Classes of the data set, by number; default: all.")


def asked_classes() -> list[int]:
    """The classes of `--classes`; none where all are to take part.

    Raises:
      UserError: other than different whole numbers.
    """
    asked = flags.FLAGS.classes
    return parse_ints("classes", asked) if any(asked) else []


def class_subset(classes: list[int], num_classes: int, at_least: int = 1) -> list[int]:
    """Some classes of so many; all of them where none are asked for.

    Raises:
      UserError: fewer than so many, or other numbers than those below `num_classes`.
    """
    if not classes:
        return list(range(num_classes))
    if len(classes) < at_least:
        raise UserError(
            "--classes",
            expected=f"at least {at_least}",
            got=f"{len(classes)}",
            hint="leave it out for all",
        )
    check_at_least("classes", min(classes), 0)
    check_at_most("classes", max(classes), num_classes - 1)
    return classes


def define_classes_flag() -> None:
    """Defines the flag of the two classes of a regression to -1 and +1."""
    with flag_group(IMAGES):
        flags.DEFINE_list("classes", [3, 8], "Labels of the two classes, to become -1 and +1.")


def two_classes() -> tuple[int, int]:
    """The two labels of `--classes`.

    Raises:
      UserError: they are not two different whole numbers.
    """
    first, *others = parse_ints("classes", flags.FLAGS.classes)
    if len(others) != 1:
        raise UserError(
            "--classes",
            expected="two labels",
            got=",".join(flags.FLAGS.classes),
            hint="for example --classes=3,8",
        )
    return first, others[0]


def data_locations() -> dict[str, Any]:
    """The values of the flags that say where images lie, as arguments of `data.find_images`."""
    names = ("data_dir", "download", "manual_dir", "channels_first")
    return {name: flags.FLAGS[name].value for name in names}


def define_finite_float(
    name: str, default: float, text: str, *, at_least: float, at_most: float = sys.float_info.max
) -> None:
    """Defines a float flag that refuses NaN and infinity (absl's bounds let NaN pass)."""
    bounds = f"of at least {at_least:g}"
    if at_most < sys.float_info.max:
        bounds += f" and at most {at_most:g}"
    flags.DEFINE_float(name, default, text)
    flags.FLAGS[name].values = bounds.removeprefix("of ")
    flags.register_validator(
        name,
        lambda value: at_least <= value <= at_most,  # NaN fails both.
        f"expected a finite number {bounds}",
    )


def check_at_most(name: str, value: float, most: float) -> None:
    """Raises a UserError for a flag whose value, given the other flags, is too large."""
    if value > most:
        raise UserError(
            f"--{name}", expected=f"at most {most:,}", got=f"{value:,}", hint="lower it"
        )


def check_at_least(name: str, value: float, least: float) -> None:
    """Raises a UserError for a flag whose value, given the other flags, is too small."""
    if value < least:
        raise UserError(
            f"--{name}", expected=f"{least:,} or more", got=f"{value:,}", hint="raise it"
        )


def parse_choices(name: str, given: Sequence[str], known: Sequence[str]) -> list[str]:
    """The words of a list flag that knows only some.

    Raises:
      UserError: a word is not known, there is none, or one comes twice.
    """
    if not given or not set(given) <= set(known) or len(set(given)) < len(given):
        raise UserError(
            f"--{name}",
            expected=f"some of {', '.join(known)}, each once",
            got=",".join(given) or "nothing",
            hint=nearest(given, known, "separate them by commas"),
        )
    return list(given)


def parse_ints(name: str, words: Sequence[str], *, distinct: bool = True) -> list[int]:
    """The whole numbers of a list flag.

    Raises:
      UserError: a word is not a whole number, there is none, or (if they must be distinct) one
        comes twice.

    >>> parse_ints("frequencies", ["5", "10"])
    [5, 10]
    """
    return _parsed(name, words, int, "whole numbers", "5,10,15", distinct)


def parse_floats(name: str, words: Sequence[str], *, above: float = -math.inf) -> list[float]:
    """The finite numbers of a list flag.

    Raises:
      UserError: a word is not a finite number above the bound, there is none, or one comes twice.

    >>> parse_floats("thresholds", ["0", "0.5"])
    [0.0, 0.5]
    """

    def parse(word: str) -> float:
        if not above < (value := float(word)) < math.inf:
            raise ValueError
        return value

    kind = "finite numbers" if above == -math.inf else f"finite numbers above {above:g}"
    return _parsed(name, words, parse, kind, "0.5,1", distinct=True)


_Number = TypeVar("_Number", int, float)


def _parsed(
    name: str,
    words: Sequence[str],
    parse: Callable[[str], _Number],
    kind: str,
    example: str,
    distinct: bool,
) -> list[_Number]:
    try:
        values = [parse(word) for word in words]
    except ValueError:
        values = []
    if not values or (distinct and len(set(values)) < len(values)):
        raise UserError(
            f"--{name}",
            expected=f"{kind} separated by commas{', each once' if distinct else ''}",
            got=",".join(words) or "nothing",
            hint=f"for example --{name}={example}",
        )
    return values
