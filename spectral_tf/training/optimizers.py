"""Optimisers as pure updates of explicit state, one variable of one network at a time.

Each is a frozen record of hyperparameters with three methods: `init` gives the slots of a variable,
`coefficients` what a step needs of the clock alone, and `move` one variable's update. `Ensemble`
stacks the slots of its members and vectorises the update; nothing here holds a variable.
"""

import abc
import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import keras
import numpy as np
import tensorflow as tf

from spectral_tf.errors import UserError, nearest

# A float; a sequence, one for each member; in a compiled step the member's own scalar tensor.
Hyperparameter = Any
# A hyperparameter, or a function of the updates made so far (0, 1, ...), as Keras' schedules are.
Rate = Any
# Scalars of one step, by name.
Coefficients = dict[str, tf.Tensor]
Slots = tuple[tf.Tensor, ...]
Same = TypeVar("Same", bound="Optimizer")


@dataclasses.dataclass(frozen=True)
class Optimizer(abc.ABC):
    """What all have: w_t = w_{t-1} (1 - rate * weight_decay) - rate * u_t, u_t of the subclass.

    Weight decay is decoupled from the gradient, as in Keras (and in AdamW of PyTorch).

    Attributes:
      BY_MEMBER: the hyperparameters that may differ from member to member.
    """

    BY_MEMBER: ClassVar[tuple[str, ...]] = ("learning_rate", "weight_decay")

    learning_rate: Rate

    @abc.abstractmethod
    def init(self, weight: np.ndarray, path: str = "") -> tuple[np.ndarray, ...]:
        """The slots of an untrained variable, zeros.

        Args:
          weight: of one network, or of several [e, ...]; all have the same number of axes.
          path: of the variable, as Keras names it.
        """

    @abc.abstractmethod
    def coefficients(self, step: tf.Tensor, active: tf.Tensor, dtype: tf.DType) -> Coefficients:
        """What all variables of a network share in one step.

        Args:
          step: updates made before this one (t - 1), scalar integer.
          active: scalar boolean; where it is false, the coefficients hold the network as it is.
          dtype: of the computation.
        """

    @abc.abstractmethod
    def move(
        self, weight: tf.Tensor, gradient: tf.Tensor, slots: Slots, c: Coefficients
    ) -> tuple[tf.Tensor, Slots]:
        """The new (weight, slots) of one variable, whose gradient is finite or the step's zero."""

    def update(
        self,
        gradients: Sequence[tf.Tensor],
        slots: Sequence[Slots],
        weights: Sequence[tf.Tensor],
        step: tf.Tensor,
        active: tf.Tensor,
    ) -> tuple[list[tf.Tensor], list[Slots]]:
        """One step of one network.

        float64 is computed as such, everything else in float32 (weights of bfloat16, too, whose
        slots are float32: moments of 8 bits would stand still). Gradients of embeddings are dense;
        Keras under TensorFlow squares them sample by sample where a batch holds a row repeatedly,
        so that its Adam gives another v there.

        Args:
          gradients, weights: tensors of equal shapes.
          slots: for each weight, as `init` or the last update gave them.
          step: updates made before this one (t - 1), scalar integer.
          active: scalar boolean; where it is false, nothing changes, whatever the gradients hold.

        Returns:
          new (weights, slots).
        """
        # An inactive member is held by its coefficients, which are scalars: selecting between old
        # and new state instead would read and write all of it once more in every step.
        of_dtype: dict[tf.DType, Coefficients] = {}
        moved, kept = [], []
        for weight, gradient, own in zip(weights, gradients, slots, strict=True):
            dtype = _working(weight.dtype)
            if dtype not in of_dtype:
                of_dtype[dtype] = self.coefficients(step, active, dtype)
            gradient = tf.cast(tf.convert_to_tensor(gradient), dtype)
            gradient = tf.where(active, gradient, tf.zeros_like(gradient))
            new, own = self.move(tf.cast(weight, dtype), gradient, own, of_dtype[dtype])
            moved.append(tf.cast(new, weight.dtype))
            kept.append(own)
        return moved, kept

    def by_member(self, num_members: int) -> dict[str, np.ndarray]:
        """The hyperparameters that were given as sequences, each a float64 array [e].

        Raises:
          UserError: what is no number, or a sequence that has not one for each member.
        """
        found = {}
        for name in self.BY_MEMBER:
            value = getattr(self, name)
            if callable(value) and name == "learning_rate":
                continue
            values = np.asarray(value)
            if values.shape not in ((), (num_members,)) or values.dtype.kind not in "iuf":
                raise UserError(
                    f"optimizer's {name}",
                    expected=f"a number, or one for each of {num_members} members",
                    got=value,
                    hint="a rate may be a schedule, too, the same for all members",
                )
            if values.ndim:
                found[name] = values.astype(np.float64)
        return found

    def of(self: Same, values: Mapping[str, tf.Tensor]) -> Same:
        """The same with a member's own values."""
        return dataclasses.replace(self, **values) if values else self

    def _rate(self, step: tf.Tensor, active: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
        rate = self.learning_rate
        rate = rate(step) if callable(rate) else rate
        return _if(active, rate, 0.0, dtype)

    def _some(self, name: str) -> bool:
        """Whether a hyperparameter is other than 0 for any member; decided outside of programs."""
        value = getattr(self, name)
        return bool(tf.is_tensor(value) or np.any(np.asarray(value, np.float64)))


def _working(dtype: tf.DType) -> tf.DType:
    return tf.float64 if dtype in (tf.float64, np.float64) else tf.float32


def _number(value: Any, dtype: tf.DType) -> tf.Tensor:
    # `tf.cast` would make a Python float float32 first.
    return tf.cast(value, dtype) if tf.is_tensor(value) else tf.constant(value, dtype)


def _if(active: tf.Tensor, value: Any, otherwise: float, dtype: tf.DType) -> tf.Tensor:
    return tf.where(active, _number(value, dtype), _number(otherwise, dtype))


def _zeros(weight: np.ndarray) -> np.ndarray:
    return np.zeros(weight.shape, _working(tf.as_dtype(weight.dtype)).as_numpy_dtype)


def _decayed(weight: tf.Tensor, c: Coefficients, name: str = "decay") -> tf.Tensor:
    return weight - weight * c[name] if name in c else weight


@dataclasses.dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent, of which theory predicts the training; Keras' and PyTorch's momentum.

    v_t = momentum * v_{t-1} - rate * g_t;  w_t = w_{t-1} + v_t, or with `nesterov`
    w_t = w_{t-1} + momentum * v_t - rate * g_t. Without momentum there is no slot.
    """

    BY_MEMBER: ClassVar[tuple[str, ...]] = ("learning_rate", "momentum", "weight_decay")

    learning_rate: Rate = 0.01
    momentum: Hyperparameter = 0.0
    nesterov: bool = False
    weight_decay: Hyperparameter = 0.0

    def init(self, weight: np.ndarray, path: str = "") -> tuple[np.ndarray, ...]:  # noqa: D102
        return (_zeros(weight),) if self._some("momentum") else ()

    def coefficients(  # noqa: D102
        self, step: tf.Tensor, active: tf.Tensor, dtype: tf.DType
    ) -> Coefficients:
        c = {"rate": self._rate(step, active, dtype), "active": active}
        if self._some("momentum"):
            c["momentum"] = _number(self.momentum, dtype)
            c["keep"] = _if(active, self.momentum, 1.0, dtype)
            c["go"] = _if(active, 1.0, 0.0, dtype)
        if self._some("weight_decay"):
            c["decay"] = _number(self.weight_decay, dtype) * c["rate"]
        return c

    def move(  # noqa: D102
        self, weight: tf.Tensor, gradient: tf.Tensor, slots: Slots, c: Coefficients
    ) -> tuple[tf.Tensor, Slots]:
        weight = _decayed(weight, c)
        if not slots:
            return tf.where(c["active"], weight - c["rate"] * gradient, weight), ()
        step = c["rate"] * gradient
        velocity = c["keep"] * slots[0] - step
        if self.nesterov:
            return weight + (c["go"] * c["momentum"] * velocity - step), (velocity,)
        return weight + c["go"] * velocity, (velocity,)


@dataclasses.dataclass(frozen=True)
class Adam(Optimizer):
    """Adam with epsilon added after bias correction (PyTorch's form; Kingma and Ba, algorithm 1).

    m_t = b1 m + (1 - b1) g,  v_t = b2 v + (1 - b2) g^2,
    w_t = w - rate * [m_t / (1 - b1^t)] / (sqrt(v_t / (1 - b2^t)) + epsilon).

    `keras.optimizers.Adam` adds epsilon (1e-7 by default) before the correction of v, which at the
    first step acts like 3e-6 here; `epsilon_hat` asks for that form, and has it where an optimiser
    of Keras is given. `weight_decay` is decoupled (AdamW), not an L2 term of the gradient as in
    PyTorch's Adam.
    """

    BY_MEMBER: ClassVar[tuple[str, ...]] = ("learning_rate", "beta_1", "beta_2", "weight_decay")

    learning_rate: Rate = 3e-4
    beta_1: Hyperparameter = 0.9
    beta_2: Hyperparameter = 0.999
    epsilon: float = 1e-8
    weight_decay: Hyperparameter = 0.0
    epsilon_hat: bool = False

    def init(self, weight: np.ndarray, path: str = "") -> tuple[np.ndarray, ...]:
        """The running means m and v, zeros."""
        return _zeros(weight), _zeros(weight)

    def coefficients(  # noqa: D102
        self, step: tf.Tensor, active: tf.Tensor, dtype: tf.DType
    ) -> Coefficients:
        t = tf.cast(step + 1, dtype)
        c = {"rate": self._rate(step, active, dtype)}
        for i, beta in (("1", self.beta_1), ("2", self.beta_2)):
            c[f"scale_{i}"] = 1.0 / (1.0 - tf.pow(_number(beta, dtype), t))
            c[f"keep_{i}"] = _if(active, beta, 1.0, dtype)
            c[f"take_{i}"] = _if(active, 1 - beta, 0.0, dtype)
        if self._some("weight_decay"):
            c["decay"] = _number(self.weight_decay, dtype) * c["rate"]
        return c

    def move(  # noqa: D102
        self, weight: tf.Tensor, gradient: tf.Tensor, slots: Slots, c: Coefficients
    ) -> tuple[tf.Tensor, Slots]:
        weight = _decayed(weight, c)
        m = c["keep_1"] * slots[0] + c["take_1"] * gradient
        v = c["keep_2"] * slots[1] + c["take_2"] * gradient * gradient
        if self.epsilon_hat:
            rate = c["rate"] * c["scale_1"] / tf.sqrt(c["scale_2"])
            return weight - rate * (m / (tf.sqrt(v) + self.epsilon)), (m, v)
        step = (m * c["scale_1"]) / (tf.sqrt(v * c["scale_2"]) + self.epsilon)
        return weight - c["rate"] * step, (m, v)


@dataclasses.dataclass(frozen=True)
class AdamW(Adam):
    """`Adam` with Keras' defaults of rate and decay; epsilon still after bias correction.

    Source: Loshchilov and Hutter (2019).
    """

    learning_rate: Rate = 0.001
    weight_decay: Hyperparameter = 0.004


@dataclasses.dataclass(frozen=True)
class Lion(Optimizer):
    """w_t = w - rate * sign(b1 m + (1 - b1) g), then m_t = b2 m + (1 - b2) g.

    Every weight moves by the rate in every step. Source: Chen et al. (2023).
    """

    BY_MEMBER: ClassVar[tuple[str, ...]] = ("learning_rate", "beta_1", "beta_2", "weight_decay")

    learning_rate: Rate = 0.001
    beta_1: Hyperparameter = 0.9
    beta_2: Hyperparameter = 0.99
    weight_decay: Hyperparameter = 0.0

    def init(self, weight: np.ndarray, path: str = "") -> tuple[np.ndarray, ...]:
        """The running mean m, zeros."""
        return (_zeros(weight),)

    def coefficients(  # noqa: D102
        self, step: tf.Tensor, active: tf.Tensor, dtype: tf.DType
    ) -> Coefficients:
        c = {
            "rate": self._rate(step, active, dtype),
            "keep_1": _number(self.beta_1, dtype),
            "take_1": _number(1 - self.beta_1, dtype),
            "keep_2": _if(active, self.beta_2, 1.0, dtype),
            "take_2": _if(active, 1 - self.beta_2, 0.0, dtype),
        }
        if self._some("weight_decay"):
            c["decay"] = _number(self.weight_decay, dtype) * c["rate"]
        return c

    def move(  # noqa: D102
        self, weight: tf.Tensor, gradient: tf.Tensor, slots: Slots, c: Coefficients
    ) -> tuple[tf.Tensor, Slots]:
        (m,) = slots
        direction = tf.sign(c["keep_1"] * m + c["take_1"] * gradient)
        new = _decayed(weight, c) - c["rate"] * direction
        return new, (c["keep_2"] * m + c["take_2"] * gradient,)


@dataclasses.dataclass(frozen=True)
class Muon(Optimizer):
    """Momentum whose update of a matrix is made orthogonal; everything else is trained by Adam.

    m_t = momentum * m + g;  u = g + momentum * m_t (`nesterov`) or m_t. Five Newton-Schulz steps
    X <- a X + (b X X^T + c (X X^T)^2) X from u / |u|_F bring all singular values near 1, and
    w_t = w - rate * rms_rate * sqrt(max(rows, columns)) * X (`rms_rate` None: without that factor).

    Matrices are, as in `keras.optimizers.Muon` (3.15), the variables of two axes, except where
    `exclude_embeddings` finds "embedding" in the path, or one of `exclude_layers`, regular
    expressions, is found there (the output layer's name belongs into it). The others get Adam in
    Keras' form of epsilon, at `adam_lr_ratio` times the rate, with a weight decay of their own.

    Sources: Jordan et al. (2024); Liu et al. (2025), whose factor it is.
    """

    BY_MEMBER: ClassVar[tuple[str, ...]] = (
        *("learning_rate", "momentum", "weight_decay", "adam_weight_decay"),
    )

    learning_rate: Rate = 0.001
    momentum: Hyperparameter = 0.95
    nesterov: bool = True
    weight_decay: Hyperparameter = 0.004
    ns_steps: int = 5
    ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315)
    rms_rate: float | None = 0.2
    exclude_layers: tuple[str, ...] = ()
    exclude_embeddings: bool = True
    adam_lr_ratio: float = 1.0
    adam_beta_1: float = 0.9
    adam_beta_2: float = 0.999
    adam_weight_decay: Hyperparameter = 0.004
    epsilon: float = 1e-7

    @property
    def _adam(self) -> Adam:
        return Adam(
            self.learning_rate, self.adam_beta_1, self.adam_beta_2, self.epsilon, epsilon_hat=True
        )

    def init(self, weight: np.ndarray, path: str = "") -> tuple[np.ndarray, ...]:
        """The momentum of a matrix; m and v of Adam of everything else.

        Args:
          weight: of several networks [e, ...].
          path: of the variable, as Keras names it.
        """
        excluded = self.exclude_embeddings and "embedding" in path.lower()
        excluded = excluded or any(re.search(name, path) for name in self.exclude_layers)
        if weight.ndim - 1 == 2 and not excluded:
            return (_zeros(weight),)
        return self._adam.init(weight)

    def coefficients(  # noqa: D102
        self, step: tf.Tensor, active: tf.Tensor, dtype: tf.DType
    ) -> Coefficients:
        c = self._adam.coefficients(step, active, dtype)
        c["matrix_rate"] = c["rate"]
        c["rate"] = c["rate"] * self.adam_lr_ratio
        c["momentum"] = _number(self.momentum, dtype)
        c["keep"] = _if(active, self.momentum, 1.0, dtype)
        for name, value in (("decay", "adam_weight_decay"), ("matrix_decay", "weight_decay")):
            if self._some(value):
                c[name] = _number(getattr(self, value), dtype) * c["matrix_rate"]
        return c

    def move(  # noqa: D102
        self, weight: tf.Tensor, gradient: tf.Tensor, slots: Slots, c: Coefficients
    ) -> tuple[tf.Tensor, Slots]:
        if len(slots) == 2:
            return self._adam.move(weight, gradient, slots, c)
        m = c["keep"] * slots[0] + gradient
        direction = self._orthogonal(gradient + c["momentum"] * m if self.nesterov else m)
        if self.rms_rate is not None:
            direction *= max(direction.shape) ** 0.5 * self.rms_rate
        return _decayed(weight, c, "matrix_decay") - c["matrix_rate"] * direction, (m,)

    def _orthogonal(self, x: tf.Tensor) -> tf.Tensor:
        rows, columns = x.shape
        x = tf.transpose(x) if rows > columns else x
        x = x / (tf.sqrt(tf.reduce_sum(x * x)) + 1e-7)
        a, b, c = self.ns_coefficients
        for _ in range(self.ns_steps):
            gram = tf.matmul(x, x, transpose_b=True)
            x = a * x + tf.matmul(b * gram + c * tf.matmul(gram, gram), x)
        return tf.transpose(x) if rows > columns else x


# For each optimiser of Keras ours, and its hyperparameters that are known here.
_BASIC = ("learning_rate", "weight_decay")
_ADAM = (*_BASIC, "beta_1", "beta_2", "epsilon")
_MUON = (
    *(*_BASIC, "momentum", "nesterov", "ns_steps", "rms_rate", "exclude_layers"),
    *("exclude_embeddings", "adam_lr_ratio", "adam_beta_1", "adam_beta_2", "adam_weight_decay"),
    "epsilon",
)
_NS_COEFFICIENTS = ("muon_a", "muon_b", "muon_c")
_OF_KERAS: Mapping[str, tuple[type[Optimizer], tuple[str, ...]]] = {
    "SGD": (SGD, (*_BASIC, "momentum", "nesterov")),
    "Adam": (Adam, _ADAM),
    "AdamW": (AdamW, _ADAM),
    "Lion": (Lion, (*_BASIC, "beta_1", "beta_2")),
    "Muon": (Muon, _MUON),
}


def optimizer_of(given: "Optimizer | keras.optimizers.Optimizer | str | None") -> Optimizer:
    """The optimiser that somebody means.

    Args:
      given: one of this module (None: `Adam()`); one of `keras.optimizers`, or its name as Keras'
        `compile` takes it, whose hyperparameters are taken, epsilon in Keras' place, learning-rate
        schedules as they are; its own state is not.

    Raises:
      UserError: another optimiser, or a setting that has no pure update here.
    """
    if given is None:
        return Adam()
    if isinstance(given, Optimizer):
        return given
    if isinstance(given, str):
        try:
            given = keras.optimizers.get(given)
        except ValueError:
            raise _unknown(given) from None
    name = type(given).__name__
    # A subclass may update otherwise.
    if name not in _OF_KERAS or type(given) is not getattr(keras.optimizers, name, None):
        raise _unknown(given if isinstance(given, type) else name)
    ours, names = _OF_KERAS[name]
    config: dict[str, Any] = given.get_config()  # type: ignore[union-attr]  # Keras has no types.
    schedule = getattr(given, "_learning_rate", None)
    if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        config["learning_rate"] = schedule
    _refuse_settings(given, config, names)
    # Keras' None of a weight decay is 0, that of rms_rate is a choice.
    values = {n: 0.0 if n.endswith("decay") and config[n] is None else config[n] for n in names}
    if ours is Muon:
        values["exclude_layers"] = tuple(config["exclude_layers"])
        values["ns_coefficients"] = tuple(config[n] for n in _NS_COEFFICIENTS)
    if issubclass(ours, Adam):
        values["epsilon_hat"] = True
    return ours(**values)


def _unknown(given: object) -> UserError:
    return UserError(
        "optimizer",
        expected=f"{', '.join(_OF_KERAS)}, of spectral_tf.training or of keras.optimizers",
        got=given,
        hint=nearest(str(given), _OF_KERAS, "others have no update of stacked networks here"),
    )


def _refuse_settings(given: Any, config: Mapping[str, Any], names: Sequence[str]) -> None:
    # Without use_ema the other two do nothing, but are set.
    known = {*names, *_NS_COEFFICIENTS, "name", "ema_momentum", "ema_overwrite_frequency"}
    wrong = [key for key, value in config.items() if key not in known and value]
    excluded = ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern")
    if any(getattr(given, attribute, None) for attribute in excluded):
        wrong.append("exclude_from_weight_decay")
    wrong += [f"none of its {key} (an older Keras)" for key in names if key not in config]
    if isinstance(config["learning_rate"], dict):
        wrong.append("a learning rate that is neither a number nor a schedule")
    if wrong:
        raise UserError(
            "optimizer",
            expected=f"{type(given).__name__} with no settings but {', '.join(names)}",
            got=", ".join(wrong),
            hint="leave it out",
        )
