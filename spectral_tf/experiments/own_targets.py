"""What is told of samples of one's own beside what networks learn of them."""

from typing import Any

import numpy as np

from spectral_tf.records import Report, tidy
from spectral_tf.tasks import OwnTarget

# A share below it is said to be none.
NOTHING = 5e-7


def own_target_report(target: OwnTarget) -> Report:
    """Its spectrum, how its frequencies are measured, and what leaks: tables, figure, lines."""
    k, sizes = target.spectrum()
    leakage, own = target.leakage, target.frequencies
    mean, std = target.scale
    summary: dict[str, Any] = {
        "name": target.samples.name,
        "sampling": target.sampling.kind,
        "start": target.sampling.start,
        "period": target.period,
        "highest_frequency": target.sampling.highest_frequency,
        "num_samples": len(target.positions),
        "frequency_unit": target.frequency_unit,
        "frequencies": [float(f) for f in own],
        "amplitudes": (std * target.amplitudes).tolist(),
        "estimator": target.estimator,
        "condition": leakage.condition,
        "largest_leak": leakage.largest,
        "largest_leak_of_plain_average": leakage.largest_of_average,
        "variance_at_other_frequencies": leakage.outside,
        "value_mean": mean,
        "value_std": std,
    }
    return Report(
        summary={"target": summary},
        tables={
            "target_spectrum": tidy({"frequency": k}, amplitude=sizes),
            "leakage": tidy(
                {"measured_at": own, "wave_at": own},
                leak=leakage.mixing,
                leak_of_plain_average=leakage.mixing_of_average,
            ),
        },
        figures={"target_spectrum": _spectrum(target)},
        lines=[_told(target)],
    )


def _spectrum(target: OwnTarget) -> Any:
    from spectral_tf.records import figures

    k, sizes = target.spectrum()
    chosen = target.scale[1] * target.amplitudes
    return figures.lines(
        [
            # Far below lie rounding and nothing.
            figures.Line(k, np.maximum(sizes, 1e-4 * sizes.max()), "of the samples"),
            figures.Line(target.frequencies, chosen, "measured while training", style="o"),
        ],
        xlabel=f"frequency [{target.frequency_unit}]",
        ylabel="amplitude 2|F|",
        title=f"Spectrum of the target, {len(k):,} frequencies up to {k[-1]:.4g}",
        yscale="log",
    )


def _told(target: OwnTarget) -> str:
    """The closing lines of a target."""
    leakage, (mean, std) = target.leakage, target.scale
    own = target.frequencies
    lines = [
        ", ".join((f"target: {target.samples.name}", *target.samples.remarks)),
        f"{target.sampling.text}",
        f"the network sees {target.sampling.start:g} to {target.sampling.start + target.period:g} "
        f"as 0 to 1, and learns the values less their mean {mean:.4g}, over {std:.4g}",
        f"{len(own)} frequencies from {own[0]:g} to {own[-1]:g} {target.frequency_unit} "
        f"(resolved below {target.sampling.highest_frequency:g}), by {target.estimator_text}",
    ]
    if len(own) > 1:
        other = (
            f" ({_percent(leakage.largest_of_average)} by the plain average)"
            if target.estimator != "average"
            else ""
        )
        lines.append(
            f"what leaks: of a wave at another of them at most {_percent(leakage.largest)} is "
            f"measured{other}; condition of their fit {leakage.condition:.3g}"
        )
    outside = f"{_percent(leakage.outside)} of the target's variance is at none of them"
    if leakage.outside > NOTHING:
        outside += "; networks learn it, too, and what of it is not orthogonal to them leaks in"
    lines.append(outside)
    return "\n".join(lines)


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share > NOTHING or np.isnan(share) else "0 %"
