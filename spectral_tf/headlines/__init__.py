"""One sentence that says what a run found and how sure that is, made from its numbers.

No finding is written down here: each verb follows an order of numbers, or an interval that leaves
zero out or does not; each sentence says n and what varies. What is not there makes it shorter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

from spectral_tf.headlines import functions, images, speed
from spectral_tf.headlines.words import Summary, Tables
from spectral_tf.records.former_names import current_entries
from spectral_tf.records.json_values import json_value

# {experiment: what makes its sentence}.
_OF: dict[str, Callable[[Summary, Tables], str]] = {
    "lf_first": functions.learning_order,
    "lf_first_pytorch": functions.learning_order,
    "robustness": functions.robustness,
    "manifold": functions.manifold,
    "manifold_grid": functions.manifold_grid,
    "architecture": functions.architecture,
    "theory": functions.theory,
    "untrained": functions.untrained,
    "own_models": functions.own_models,
    "precision": functions.precision,
    "mnist_noise": images.mnist_noise,
    "kernel_projection": images.kernel_projection,
    "mnist_manifold": images.mnist_manifold,
    "noise_fitting": images.noise_fitting,
    "noise_fitting_compare": images.on_claims,
    "interpolation": images.interpolation,
    "interventions": images.on_claims,
    "claims": images.comparison_of_claims,
    "class_diversity": images.on_claims,
    "class_diversity_merged": images.on_claims,
    "elastic_bands": images.elastic_bands,
    "fourier_sensitivity": images.fourier_sensitivity,
    "benchmark": speed.benchmark,
    "benchmark_images": speed.benchmark_images,
    "benchmark_augmentation": speed.benchmark_augmentation,
    "benchmark_paths": speed.benchmark_paths,
    "benchmark_measure": speed.benchmark_measure,
    "benchmark_probing": speed.benchmark_probing,
    "benchmark_start": speed.benchmark_start,
    "benchmark_saves": speed.benchmark_saves,
    "benchmark_scaling": speed.benchmark_scaling,
    "costs": speed.costs,
}

# What a run says that has no sentence of its own: one setting, one frequency, no peer.
TOO_LITTLE = "There is too little in this run to say more than its tables do."


def headline(
    experiment: str,
    summary: Mapping[str, Any],
    tables: Mapping[str, Mapping[str, NDArray]],
) -> str:
    """What a run found, and how sure that is, in one sentence; "" where nothing is known of it.

    Args:
      experiment: its launcher, of `spectral_tf.catalogue`.
      summary: as `summary.json` holds it, or as a report has it; names of older runs are known.
      tables: {name of a CSV file without its end: {column: array}}; read when it is asked for.

    >>> headline("lf_first", {"num_runs": 1, "learning_time_exponent": 1.9}, {})
    'The learning time grew as frequency^1.90 (one run, which has no interval).'
    """
    make = _OF.get(experiment)
    return make(current_entries(json_value(summary)), tables) if make else ""
