"""Model -> samples. A probe never trains, logs, draws or changes what it measures.

The modules import TensorFlow; a name of this package loads them when it is first used.
"""

from typing import TYPE_CHECKING

from spectral_tf import lazy

if TYPE_CHECKING:
    from spectral_tf.probes.adversarial import adversarial_images as adversarial_images
    from spectral_tf.probes.band_settings import BandSettings as BandSettings
    from spectral_tf.probes.bands import band_program as band_program
    from spectral_tf.probes.bands import elastic_bands as elastic_bands
    from spectral_tf.probes.converged import converged_paths as converged_paths
    from spectral_tf.probes.curves import CURVES as CURVES
    from spectral_tf.probes.curves import curve_lengths as curve_lengths
    from spectral_tf.probes.curves import sampler as sampler
    from spectral_tf.probes.fourier import Responses as Responses
    from spectral_tf.probes.fourier import fourier_responses as fourier_responses
    from spectral_tf.probes.fourier import whole_plane as whole_plane
    from spectral_tf.probes.functions import stacked_outputs as stacked_outputs
    from spectral_tf.probes.jacobians import JacobianNorms as JacobianNorms
    from spectral_tf.probes.jacobians import jacobian_norms as jacobian_norms
    from spectral_tf.probes.jacobians import path_jacobians as path_jacobians
    from spectral_tf.probes.kernels import kernel_matrices as kernel_matrices
    from spectral_tf.probes.kernels import kernel_names as kernel_names
    from spectral_tf.probes.output_kinds import OUTPUTS as OUTPUTS
    from spectral_tf.probes.output_kinds import class_logits as class_logits
    from spectral_tf.probes.output_kinds import predictions_of as predictions_of
    from spectral_tf.probes.output_kinds import probabilities_of as probabilities_of
    from spectral_tf.probes.output_kinds import refuse_other_outputs as refuse_other_outputs
    from spectral_tf.probes.output_kinds import temperature_of as temperature_of
    from spectral_tf.probes.pairs import Pairs as Pairs
    from spectral_tf.probes.pairs import class_pairs as class_pairs
    from spectral_tf.probes.pairs import draw_pairs as draw_pairs
    from spectral_tf.probes.pairs import pairs_among as pairs_among
    from spectral_tf.probes.path_measurements import PathMeasurements as PathMeasurements
    from spectral_tf.probes.path_measurements import measure_paths as measure_paths
    from spectral_tf.probes.paths import Paths as Paths
    from spectral_tf.probes.paths import fourier_paths as fourier_paths
    from spectral_tf.probes.paths import gradients as gradients
    from spectral_tf.probes.paths import local_paths as local_paths
    from spectral_tf.probes.paths import path_logits as path_logits
    from spectral_tf.probes.paths import path_program as path_program
    from spectral_tf.probes.paths import straight_paths as straight_paths
    from spectral_tf.probes.perturbations import perturbed_outputs as perturbed_outputs
    from spectral_tf.probes.stream import Prepare as Prepare
    from spectral_tf.probes.stream import as_they_are as as_they_are
    from spectral_tf.probes.stream import outputs as outputs
    from spectral_tf.probes.tangent import tangent_kernels as tangent_kernels

__getattr__, __dir__, __all__ = lazy.subpackage(
    __name__,
    {
        "BandSettings": "band_settings",
        "CURVES": "curves",
        "JacobianNorms": "jacobians",
        "OUTPUTS": "output_kinds",
        "Pairs": "pairs",
        "PathMeasurements": "path_measurements",
        "Paths": "paths",
        "Prepare": "stream",
        "Responses": "fourier",
        "adversarial_images": "adversarial",
        "as_they_are": "stream",
        "band_program": "bands",
        "class_logits": "output_kinds",
        "class_pairs": "pairs",
        "converged_paths": "converged",
        "curve_lengths": "curves",
        "draw_pairs": "pairs",
        "elastic_bands": "bands",
        "fourier_paths": "paths",
        "fourier_responses": "fourier",
        "gradients": "paths",
        "jacobian_norms": "jacobians",
        "kernel_matrices": "kernels",
        "kernel_names": "kernels",
        "local_paths": "paths",
        "measure_paths": "path_measurements",
        "outputs": "stream",
        "pairs_among": "pairs",
        "path_jacobians": "jacobians",
        "path_logits": "paths",
        "path_program": "paths",
        "perturbed_outputs": "perturbations",
        "predictions_of": "output_kinds",
        "probabilities_of": "output_kinds",
        "refuse_other_outputs": "output_kinds",
        "sampler": "curves",
        "stacked_outputs": "functions",
        "straight_paths": "paths",
        "tangent_kernels": "tangent",
        "temperature_of": "output_kinds",
        "whole_plane": "fourier",
    },
)
