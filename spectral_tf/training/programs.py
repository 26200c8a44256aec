"""Functions of one member as programs over many, in the first form that works."""

import contextlib
import functools
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from spectral_tf.errors import UserError
from spectral_tf.training.replicas import Replicas

# Operations that only draw. They have no vectorised form, and one by one they take next to nothing.
_DRAWS = ("StatelessRandom", "StatelessTruncated", "StatelessParameterized", "StatelessMultinomial")
_ONE_BY_ONE = re.compile(r"Using a while_loop for converting (\w+)")
_NOT_COMPILED = re.compile(r"on XLA_\w+?: (\w+) \(")
_NODE = re.compile(r"Detected at node (?:loop_body/)?(\S+)")
_ANSI = re.compile(r"\x1b\[\d*m")


class NotVectorisedError(Exception):
    """Operations that `tf.vectorized_map` can only do one by one."""


def vectorised(function: Callable, elements: Any) -> Any:
    """`tf.vectorized_map` where all is vectorised, but for random draws.

    Raises:
      NotVectorisedError: naming the operations that TensorFlow would have put into loops, each into
        one of its own.
    """
    with _conversions() as one_by_one:
        result = tf.vectorized_map(function, elements)
    if slow := sorted(name for name in one_by_one if not name.startswith(_DRAWS)):
        raise NotVectorisedError(", ".join(slow))
    return result


def one_by_one(function: Callable, elements: Any) -> Any:
    """The same with members one after the other (without XLA: some at a time)."""
    one = tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape[1:], t.dtype), elements)
    concrete = tf.function(function, autograph=False).get_concrete_function(one)
    signature = tf.nest.map_structure(
        lambda t: tf.TensorSpec(t.shape, t.dtype), concrete.structured_outputs
    )
    return tf.map_fn(function, elements, fn_output_signature=signature)


@contextlib.contextmanager
def _conversions() -> Iterator[set[str]]:
    """Collects what `tf.vectorized_map` logs of operations that it cannot vectorise, and hides it.

    TensorFlow tells it in its log alone, for some operations at the level DEBUG.
    """
    found: set[str] = set()
    logger = tf.get_logger()
    before = logger.level
    shown = logger.getEffectiveLevel()

    def keep(record: logging.LogRecord) -> bool:
        told = record.getMessage()
        if match := _ONE_BY_ONE.match(told):
            found.add(match[1])
        failed = "while pfor was converting" in told or "created at:" in told
        return record.levelno >= shown and not match and not failed

    logger.addFilter(keep)
    logger.setLevel(logging.DEBUG)
    try:
        yield found
    finally:
        logger.setLevel(before)
        logger.removeFilter(keep)


class Program:
    """A function of a block of members, compiled in the first form that works.

    All members at once by XLA; one by one by XLA; and both without XLA. Which, is decided at the
    first call, and holds.

    Args:
      replicas: where it runs.
      function: of `together` (whether members are to be vectorised), then of per-replica tensors.
      tell: is told in a line if it is not the first form, what could not be done and why.
    """

    def __init__(
        self, replicas: Replicas, function: Callable[..., Any], tell: Callable[[str], None]
    ) -> None:
        self._replicas = replicas
        self._function = function
        self._tell = tell
        self._settled: Callable | None = None

    @property
    def settled(self) -> bool:
        """Whether it has run, in the form that it keeps."""
        return self._settled is not None

    def __call__(self, *arguments: Any) -> Any:
        """Runs it.

        Raises:
          UserError: no form works; or, later, TensorFlow has failed.
        """
        if self._settled:
            try:
                return self._settled(*arguments)
            except Exception as error:
                raise _failed(error) from error
        whys: list[str] = []
        for together, compiled in self._forms():
            program = self._replicas.program(
                functools.partial(self._function, together), compiled=compiled
            )
            try:
                result = program(*arguments)
            except Exception as error:
                whys.append(_why(error))
                last = error
                continue
            self._settled = program
            if whys:
                how = "all at once" if together else "one by one"
                without = "" if compiled else " and without XLA"
                reasons = "; ".join(dict.fromkeys(whys))
                self._tell(f"members run {how}{without}, not all at once by XLA: {reasons}")
            return result
        raise _failed(last) from last

    def _forms(self) -> list[tuple[bool, bool]]:
        forms = [(True, True), (False, True), (True, False), (False, False)]
        return forms[:2] if self._replicas.on_tpu else forms


def _why(error: Exception) -> str:
    if isinstance(error, NotVectorisedError):
        return f"{error} cannot be vectorised"
    told = str(error)
    if match := _NOT_COMPILED.search(told):
        loop = ", a loop over time steps" if match[1].startswith("TensorList") else ""
        return f"XLA cannot compile {match[1]}{loop}"
    if match := _NODE.search(told):
        return f"XLA cannot compile {match[1]} ({first_line(error)})"
    return first_line(error)


def _failed(error: Exception) -> UserError:
    return UserError(
        "ensemble",
        expected="a program that TensorFlow can run",
        got=f"{type(error).__name__}: {first_line(error)}",
        hint="the traceback's cause tells where; a smaller model, batch or block may help",
    )


def first_line(error: Exception) -> str:
    """What an error says, without what Keras and TensorFlow put around it."""
    lines = [_ANSI.sub("", line).strip() for line in str(error).splitlines()]
    around = (
        *("Exception encountered when calling", "in user code", "Arguments received", "File "),
        *("Graph execution error", "Detected at node", "Stack trace"),
    )
    lines = [line for line in lines if line and not line.startswith(around)]
    told = lines[0] if lines else type(error).__name__
    return told if len(told) < 160 else f"{told[:157]}..."
