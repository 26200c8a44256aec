"""Units of columns whose names do not say them."""

from __future__ import annotations

_STEPS = "training steps"
# What is so in every table.
_EVERYWHERE = {
    "step": _STEPS,
    "minimum_step": _STEPS,
    "predicted_step": _STEPS,
    "measured_step": _STEPS,
    "epoch": "epochs",
    "cycles": "cycles across the data",
    "cycles_across_data": "cycles",
    "cycles_down": "cycles per image",
    "cycles_right": "cycles per image",
    "seconds": "s",
    "seconds_median": "s",
    "hours": "h",
    "peak_megabytes": "MB",
    "radial_frequency": "cycles per unit",
    "target_frequency": "cycles per unit",
    "level": "share of the amplitude",
    "loss": "mean squared error",
}
_JACOBIANS = {
    **dict.fromkeys(("jacobian", "matched_jacobian"), "per unit of pixels in [0, 1]"),
    "logit_jacobian": "per unit of normalised pixels",
}
_JACOBIANS |= {f"image_{name}": unit for name, unit in _JACOBIANS.items()}
_OF_PATHS = {
    **_JACOBIANS,
    "distance": "distance of normalised pixels",
    "pixel_distance": "distance of pixels in [0, 1]",
    "centroid": "cycles per unit of pixels in [0, 1]",
    "matched_centroid": "cycles per unit of pixels in [0, 1]",
}
# {experiment: what is so in its tables}.
_OF = {
    **{
        name: {"frequency": "cycles per unit", "position": "unit"}
        for name in ("lf_first", "lf_first_pytorch", "robustness", "architecture", "own_models")
    },
    "precision": {"frequency": "cycles per unit"},
    "theory": {
        "frequency": "cycles per unit",
        **dict.fromkeys(
            ("speed", "kernel_speed", "first_order", "moving_kinks", "bound", "kernel"),
            "per unit of rate times step",
        ),
    },
    "manifold": {
        "frequency": "cycles along the curve",
        "learned_cycles": "cycles along the curve",
        "arc_length": "units of the plane",
    },
    "manifold_grid": {"frequency": "cycles along the curve", "loss": "cross-entropy"},
    "untrained": {"mean_frequency": "cycles per turn"},
    "mnist_noise": {"frequency": "that of the convention"},
    "noise_fitting": {"frequency": "cycles per unit of normalised pixels", "loss": "cross-entropy"},
    "interpolation": _OF_PATHS,
    "class_diversity": _OF_PATHS,
    "interventions": {**_JACOBIANS, "loss": "cross-entropy"},
    "elastic_bands": {
        "distance": "distance of pixels in [0, 1]",
        "highest_loss": "nats",
        "mean_loss": "nats",
        "centroid": "cycles per path",
        "frequency": "cycles per path",
    },
    "fourier_sensitivity": {"frequency": "cycles per image"},
}


def unit_of(column: str, experiment: str) -> str:
    """The unit of a column's numbers; "" where they have none, or its name says it.

    >>> unit_of("step", "lf_first"), unit_of("frequency", "manifold"), unit_of("frequency", "mine")
    ('training steps', 'cycles along the curve', '')
    """
    return {**_EVERYWHERE, **_OF.get(experiment, {})}.get(column, "")
