"""Model -> samples. A probe never trains, logs, draws or changes what it measures.

The modules import TensorFlow; a name of this room loads them when it is first used.
"""

from typing import TYPE_CHECKING

from spectral_tf import lazy

if TYPE_CHECKING:
    from spectral_tf.probes.fourier import Responses as Responses
    from spectral_tf.probes.fourier import fourier_responses as fourier_responses
    from spectral_tf.probes.fourier import frequencies as frequencies
    from spectral_tf.probes.fourier import rings as rings
    from spectral_tf.probes.fourier import whole_plane as whole_plane
    from spectral_tf.probes.functions import stacked_outputs as stacked_outputs
    from spectral_tf.probes.kernels import kernel_matrices as kernel_matrices
    from spectral_tf.probes.kernels import kernel_names as kernel_names
    from spectral_tf.probes.paths import Pairs as Pairs
    from spectral_tf.probes.paths import gradients as gradients
    from spectral_tf.probes.paths import local_paths as local_paths
    from spectral_tf.probes.paths import pairs_among as pairs_among
    from spectral_tf.probes.paths import path_logits as path_logits
    from spectral_tf.probes.paths import straight_paths as straight_paths
    from spectral_tf.probes.perturbations import perturbed_outputs as perturbed_outputs
    from spectral_tf.probes.stream import as_they_are as as_they_are
    from spectral_tf.probes.stream import outputs as outputs
    from spectral_tf.probes.tangent import tangent_kernels as tangent_kernels

__getattr__, __dir__, __all__ = lazy.room(
    __name__,
    {
        "Responses": "fourier",
        "fourier_responses": "fourier",
        "frequencies": "fourier",
        "kernel_matrices": "kernels",
        "kernel_names": "kernels",
        "outputs": "stream",
        "perturbed_outputs": "perturbations",
        "rings": "fourier",
        "stacked_outputs": "functions",
        "tangent_kernels": "tangent",
        "whole_plane": "fourier",
        "gradients": "paths",
        "local_paths": "paths",
        "path_logits": "paths",
        "as_they_are": "stream",
        "Pairs": "paths",
        "pairs_among": "paths",
        "straight_paths": "paths",
    },
)
