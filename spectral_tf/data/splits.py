"""Splits and their slices in TFDS's notation, for sets of TFDS and for one's own alike."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from spectral_tf.errors import UserError


class Part(NamedTuple):
    """Examples start ... stop - 1 of a split."""

    split: str
    start: int
    stop: int


def parts(name: str, asked: str, splits: Mapping[str, Any], hint: str = "choose one") -> list[Part]:
    """The parts of splits that are asked for, at least one example in all.

    Args:
      name: of the data set, for errors.
      asked: such as `train`, `train[:80%]`, `train[1000:]`, `train[:10%]+test` or `all`.
      splits: {name: with its `num_examples`}.
      hint: what to do where the split is not known.

    Raises:
      UserError: unknown splits, another notation, slices beyond the end, or no example.

    Source: `tfds.core.ReadInstruction`, which parses and rounds.
    """
    import tensorflow_datasets as tfds

    try:
        absolute = tfds.core.ReadInstruction.from_spec(asked).to_absolute(splits)
    except (ValueError, KeyError, AssertionError, NotImplementedError) as error:
        raise UserError(
            f"split of {name}",
            expected=f"{', '.join(splits)}, or a slice such as {next(iter(splits))}[:10%]",
            got=asked or "nothing",
            hint=hint,
        ) from error
    found = []
    for part in absolute:
        size = splits[part.splitname].num_examples
        stop = size if part.to is None else part.to
        found.append(Part(part.splitname, part.from_ or 0, stop))
    if not any(part.start < part.stop for part in found):
        raise UserError(
            f"split of {name}",
            expected="at least one example",
            got=f"none in {asked}",
            hint="ask for a larger slice",
        )
    return found


def within(found: Sequence[Part], start: int, stop: int) -> list[Part]:
    """Of all examples of some parts, one after the other, those from start to stop - 1.

    >>> within([Part("train", 10, 20), Part("test", 0, 5)], 8, 12)
    [Part(split='train', start=18, stop=20), Part(split='test', start=0, stop=2)]
    """
    taken, first = [], 0
    for part in found:
        size = part.stop - part.start
        low, high = max(start - first, 0), min(stop - first, size)
        if low < high:
            taken.append(Part(part.split, part.start + low, part.start + high))
        first += size
    return taken
