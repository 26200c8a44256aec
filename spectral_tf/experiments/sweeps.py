"""Sweeps over the settings of a classifier, and how several machines share them."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from spectral_tf.data import AUGMENTATIONS
from spectral_tf.errors import UserError, nearest
from spectral_tf.experiments.classification import Setting
from spectral_tf.models import CLASSIFIERS, NETWORK_OPTIONS, files, refuse_options
from spectral_tf.runtime import flags

# Each sweep with the flag that holds its values; those of time are epochs of the baseline.
SWEEPS = {
    "time": "measured_epochs",
    "architecture": "architectures",
    "width": "widths",
    "examples": "shares",
    "augmentation": "recipes",
    "distillation": "alphas",
    "weight_decay": "decays",
    "network_options": "option_sets",
}


class Variant(NamedTuple):
    """One setting of a sweep.

    Attributes:
      sweep: that it belongs to; `baseline` belongs to all.
      value: of it, for tables and figures.
      setting: of the training.
      share: of the training images.
      equal_steps: whether fewer images are trained on for as many steps, not epochs; always to a
        goal.
      alpha: weight of the true labels beside those of the baseline of the same seed; None: no
        teacher.
    """

    sweep: str
    value: str
    setting: Setting
    share: float = 1.0
    equal_steps: bool = False
    alpha: float | None = None

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.sweep + (f"={self.value}" if self.value else "")

    @property
    def has_soft_labels(self) -> bool:
        """Whether labels have an entropy, below which the loss of no network falls."""
        of_teacher = self.alpha is not None and self.alpha < 1
        return of_teacher or self.setting.mixup_alpha > 0


def variants(base: Setting, values: Mapping[str, Sequence[str]]) -> list[Variant]:
    """The baseline and what the sweeps make of it.

    Args:
      base: the setting that every variant changes in one thing.
      values: of the flag `sweeps` and of those of `SWEEPS`, words.

    Raises:
      UserError: an unknown sweep, a value out of range, two variants of one name, one that is the
        baseline.
    """

    def numbers(flag: str, least: float = 0.0, most: float = math.inf) -> list[float]:
        given = flags.parse_floats(flag, values[flag])
        flags.check_at_least(flag, min(given), least)
        flags.check_at_most(flag, max(given), most)
        return given

    def changed(**fields: object) -> Setting:
        return dataclasses.replace(base, **fields)  # type: ignore[arg-type]

    sweeps = flags.parse_choices("sweeps", values["sweeps"], list(SWEEPS))
    found = [Variant("baseline", "", base)]
    if "architecture" in sweeps:
        found += [_architecture(base, text) for text in values["architectures"]]
    if "width" in sweeps and files.names_a_file(base.model):
        raise UserError(
            "sweeps=width",
            expected="a --model by its name",
            got=base.model,
            hint="leave width out of --sweeps",
        )
    if "width" in sweeps:
        widths = flags.parse_ints("widths", values["widths"])
        flags.check_at_least("widths", min(widths), 1)
        found += [Variant("width", f"{w}", changed(width=w)) for w in widths]
    if "examples" in sweeps:
        shares = flags.parse_floats("shares", values["shares"], above=0.0)
        flags.check_at_most("shares", max(shares), 1.0)
        # To one goal both come after nearly the same steps, as the same network but for the course
        # of the rate: as two settings they would count it twice.
        kinds = ("equal_steps",) if base.stops else ("equal_epochs", "equal_steps")
        found += [
            Variant(f"examples_{kind}", f"{s:g}", base, share=s, equal_steps=kind == "equal_steps")
            for kind in kinds
            for s in shares
        ]
    if "augmentation" in sweeps:
        found += [Variant("augmentation", text, _recipe(base, text)) for text in values["recipes"]]
    if "distillation" in sweeps:
        alphas = numbers("alphas", most=1.0)
        found += [Variant("distillation", f"{a:g}", base, alpha=a) for a in alphas]
    if "weight_decay" in sweeps:
        decays = numbers("decays")
        found += [Variant("weight_decay", f"{d:g}", changed(weight_decay=d)) for d in decays]
    if "network_options" in sweeps:
        found += [Variant("network_options", t, _options(base, t)) for t in values["option_sets"]]
    for variant in found:
        own = variant.setting
        refuse_options(own.model, own.network_options, f"sweeps={variant.name}")
    names = [variant.name for variant in found]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(
            "sweeps", expected="settings that differ", got=f"{twice[0]} twice", hint="leave one"
        )
    same = [variant.name for variant in found[1:] if variant[2:] == found[0][2:]]
    if same:
        raise UserError(
            "sweeps",
            expected="settings that differ from the baseline, which is part of every sweep",
            got=same[0],
            hint="leave it out",
        )
    return found


def _architecture(base: Setting, text: str) -> Variant:
    """Another network, as small_resnet or, with the channels of its first stage, small_resnet:4.

    Batches of another size stand behind an @, as in pyramid_net@64.
    """
    named, at, batch_size = text.partition("@")
    name, given, width = named.partition(":")
    numbers = [word for word, is_there in ((width, given), (batch_size, at)) if is_there]
    good = all(word.isdecimal() and int(word) > 0 for word in numbers)
    if name not in CLASSIFIERS or not good:
        raise UserError(
            "architectures",
            expected=f"some of {', '.join(CLASSIFIERS)}, with a width behind a colon and a batch "
            "size behind an @ if you like",
            got=text or "nothing",
            hint=nearest(name, CLASSIFIERS, "for example small_resnet:4,pyramid_net@64"),
        )
    setting = dataclasses.replace(
        base,
        model=name,
        width=int(width) if given else 0,
        batch_size=int(batch_size) if at else base.batch_size,
    )
    return Variant("architecture", text, setting)


def _options(base: Setting, text: str) -> Setting:
    """The baseline with other options of its network, such as unnormalised+fixup or none."""
    named = text.split("+") if text != "none" else []
    if not set(named) <= set(NETWORK_OPTIONS) or len(set(named)) < len(named):
        raise UserError(
            "option_sets",
            expected=f"names of {', '.join(NETWORK_OPTIONS)} joined by +, or none",
            got=text or "nothing",
            hint=nearest(named, NETWORK_OPTIONS, "for example unnormalised+fixup"),
        )
    return dataclasses.replace(base, network_options=tuple(named))


def _recipe(base: Setting, text: str) -> Setting:
    """The baseline with other augmentations, such as flip+cutout+mixup:0.2 or none."""
    named = text.split("+") if text != "none" else []
    mixed = [name for name in named if name.startswith("mixup:")]
    others = [name for name in named if name not in mixed]
    try:
        alpha = float(mixed[0].removeprefix("mixup:")) if mixed else 0.0
    except ValueError:
        alpha = math.nan
    known = set(others) <= set(AUGMENTATIONS) and len(set(named)) == len(named)
    if not known or len(mixed) > 1 or not (0 < alpha < math.inf or not mixed):
        raise UserError(
            "recipes",
            expected=f"names of {', '.join(AUGMENTATIONS)}, and mixup:ALPHA, joined by +, or none",
            got=text,
            hint=nearest(others, AUGMENTATIONS, "for example flip+cutout+mixup:0.2"),
        )
    return dataclasses.replace(base, augmentations=tuple(others), mixup_alpha=alpha)


def shard_of(text: str) -> tuple[int, int]:
    """The i-th of n shares, i/n, as (i - 1, n).

    Raises:
      UserError: the text is no such thing.
    """
    try:
        index, number = map(int, text.split("/"))
    except ValueError:
        index, number = 0, 0
    if not 1 <= index <= number:
        raise UserError(
            "shard", expected="i/n with i from 1 to n", got=text, hint="for example 1/4"
        )
    return index - 1, number


def owners(found: Sequence[Variant], num_seeds: Sequence[int], num_shards: int) -> Iterator[int]:
    """The shard of every variant of every seed, seed by seed; students go with their teachers.

    Args:
      found: the variants, the baseline first.
      num_seeds: of each variant; the first has the most.
      num_shards: that share the trainings.
    """
    unit = of_baseline = 0
    for run in range(max(num_seeds)):
        for variant, seeds in zip(found, num_seeds, strict=True):
            if run >= seeds:
                continue
            if variant.alpha is not None:
                yield of_baseline
                continue
            if variant.sweep == "baseline":
                of_baseline = unit % num_shards
            yield unit % num_shards
            unit += 1
