"""Whose a saved state, or a measurement, is."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from numpy.typing import ArrayLike

from spectral_tf.errors import UserError
from spectral_tf.records.arrays import Arrays, Damaged
from spectral_tf.records.former_names import current_line

# The array that holds it.
IDENTITY = "identity"

# What of a data set's record decides the numbers.
DATA = {
    "dataset",
    "version",
    "split",
    "num_examples",
    "model_sha256",
    "teacher_sha256",
    "weights_sha256",
    "features_sha256",
    "networks_sha256",
    "hierarchy_sha256",
    "imports_sha256",
}


class Identity(NamedTuple):
    """What decides the numbers of a training.

    The lines of the flags themselves, no digest of them: a refusal can name what differs, and flags
    can change their names.

    Attributes:
      experiment: the launcher.
      flags: lines of a flagfile, without those that say where a run is and those that may grow.
      part: name of the training in its run; "" where that has one alone.
      data: digests and numbers of data sets and of networks that were read.
    """

    experiment: str = ""
    flags: tuple[str, ...] = ()
    part: str = ""
    data: Mapping[str, Any] = {}

    @classmethod
    def of(
        cls,
        environment: Mapping[str, Any],
        configuration: Mapping[str, str],
        growing: Collection[str],
        part: str = "",
    ) -> Identity:
        """That of a training of a run.

        Args:
          environment: what `environment.json` holds.
          configuration: {flag name: line of a flagfile}.
          growing: names of flags that may grow.
          part: of the run.
        """
        data = environment.get("data", {})
        return cls(
            str(environment.get("experiment", "")),
            tuple(sorted(line for name, line in configuration.items() if name not in growing)),
            part,
            {name: data[name] for name in sorted(DATA & data.keys())},
        )

    def arrays(self) -> dict[str, ArrayLike]:
        """As part of a file of arrays."""
        return {IDENTITY: json.dumps(self._asdict(), default=lambda number: number.item())}

    @classmethod
    def told_by(cls, saved: Arrays) -> Identity | None:
        """That which a file says it is of; None if it does not say.

        Raises:
          Damaged: it has lost its digest, so that somebody else has written it.
          UserError: another version has written it.
        """
        if IDENTITY not in saved:
            return None
        if not saved.digest:
            raise Damaged("changed after it was written")
        try:
            told = json.loads(str(saved[IDENTITY]))
            return cls(**{**told, "flags": tuple(map(current_line, told["flags"]))})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            # Its digest holds, so it is what somebody wrote.
            raise UserError(
                "saved state",
                expected="one that this version of spectral_tf can read",
                got=f"one of another version ({type(error).__name__}: {error})",
                hint="go on with that version, or name another --workdir",
            ) from error

    def holds(self, saved: Arrays, file: Any) -> bool:
        """Whether a file says that it is of this training; False if it does not say whose it is.

        Raises:
          UserError: it is of another one.
          Damaged: as `told_by`.
        """
        other = Identity.told_by(saved)
        if other is None:
            return False
        theirs, own = other._differing(self)
        if theirs or own:
            raise UserError(
                "saved state",
                expected=f"one of this training ({own or 'without that'})",
                got=f"{file} of another ({theirs or 'without that'})",
                hint="move that file elsewhere, or name another --workdir",
            )
        return True

    def _differing(self, other: Identity) -> tuple[str, str]:
        """What this one says, and what the other, where they differ."""
        both = self.data.keys() & other.data.keys()  # Another version may know of more.
        mine, yours = (
            {*of.flags, f"part {of.part or 'none'}", *(f"{name} {of.data[name]}" for name in both)}
            | ({f"experiment {of.experiment}"} if self.experiment and other.experiment else set())
            for of in (self, other)
        )
        return " ".join(sorted(mine - yours)), " ".join(sorted(yours - mine))
