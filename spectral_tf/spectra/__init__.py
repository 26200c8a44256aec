"""Samples -> numbers: NumPy in float64, pure functions; knows no model, no training, no TensorFlow.

Conventions, used by every function here:

* **Transform.** For n samples f_j at x_j = j/n on [0, 1), the coefficient is
  F[k] = (1/n) sum_j f_j exp(-2 pi i j k / n). The published notebooks scale likewise; NumPy's own
  `fft` has no 1/n, and the papers' formulas use the angular frequency 2 pi k.
* **Frequency.** In cycles per unit of the coordinate; on [0, 1) bin k is k cycles per unit.
* **One-sided spectra** hold the bins 0 ... n//2. A sine of amplitude A has |F| = A/2 there, so the
  *normalised magnitude* is 2 |F[k]| / A: 0 when nothing is learned, 1 when all is. The zero bin and
  (for even n) the Nyquist bin n/2 have no mirror image and therefore no factor 2; they are not
  valid frequencies for a normalised magnitude.
* **Averages** over runs are taken after the magnitude, never before it.
* **Parseval.** mean_j |f_j|^2 = sum over all n bins of |F[k]|^2, so a mean squared error is the sum
  of the squared errors of the coefficients. (The paper's Eqn 44 leaves the 1/N out.)

The modules say `import scipy` and no more: its parts then load when they are used, which most of
the time of importing this package would be.
"""

from spectral_tf.spectra.attenuation import attenuation, half_attenuation_norms
from spectral_tf.spectra.box import BoxSpectrum, border_jumps, box_spectrum
from spectral_tf.spectra.composition import occupied_bandwidth
from spectral_tf.spectra.confidence import (
    IMAGES_FOR_TEMPERATURE,
    confidence_temperature,
    logits_of,
    mean_confidence,
)
from spectral_tf.spectra.curve import CurveSpectrum, curve_spectrum
from spectral_tf.spectra.dft import (
    coefficients,
    magnitudes,
    mean_frequency,
    normalised_magnitudes,
)
from spectral_tf.spectra.diversity import (
    class_distances,
    mean_angle,
    mean_distance,
    merged_diversity,
    total_variance,
)
from spectral_tf.spectra.filtering import (
    HALF_AMPLITUDE,
    FilterErrors,
    filter_bandwidths,
    filter_errors,
    gaussian_low_pass,
)
from spectral_tf.spectra.growth import Growth, fit_growth, fit_growth_with_offset
from spectral_tf.spectra.inference import (
    SETTINGS_FOR_CORRELATION,
    Estimate,
    above_zero,
    bootstrap,
    correlation_over_settings,
    crossed_mean,
    difference_to_published,
    difference_to_published_from_stats,
    holm,
    jackknife,
    mean_over_clusters,
    mean_over_runs,
    negative,
    not_enough,
    paired_difference,
    paired_ratio,
    proportion,
    sign_test,
)
from spectral_tf.spectra.kernel_basis import (
    SOLVERS,
    KernelBasis,
    bin_means,
    gaussian_kernel,
    kernel_basis,
)
from spectral_tf.spectra.learning import (
    LearningCurves,
    PowerLaw,
    crossing,
    cutoff_frequency,
    fit_power_law,
    learning_curves,
    learning_times,
    power_law_over_runs,
)
from spectral_tf.spectra.noise_fit import (
    AgainstNull,
    Influence,
    NoiseFit,
    ReferenceLevels,
    WaveFit,
    against_null,
    centred_log_ratio,
    correlation_ratio,
    implied_smoothing,
    influence,
    noise_fit,
    reference_levels,
    smoothed_log_ratio,
    wave_fit,
)
from spectral_tf.spectra.nonuniform import (
    LARGEST_CONDITION,
    FittedCoefficients,
    coefficients_at,
    fit_coefficients,
    mixing,
    quadrature_weights,
)
from spectral_tf.spectra.norms import spectral_norms
from spectral_tf.spectra.path import (
    PathMeasures,
    consistent_share,
    dct_magnitudes,
    dct_share,
    dft_magnitudes,
    dft_share,
    path_measures,
    released_power,
    released_share,
    spectral_centroid,
    total_variation,
)
from spectral_tf.spectra.path_axes import (
    MeanSpectrum,
    axis_support,
    dct_frequencies,
    dft_frequencies,
    interpolate_spectrum,
    mean_spectrum,
    nyquist,
    spectrum_axis,
)
from spectral_tf.spectra.plane import plane_frequencies, rings
from spectral_tf.spectra.polylines import (
    along_polyline,
    departure,
    polyline_length,
    turned_at_random,
)
from spectral_tf.spectra.positions import Sampling, sampling
from spectral_tf.spectra.pursuit import strongest_frequencies
from spectral_tf.spectra.radial import radial_spectrum
from spectral_tf.spectra.relu import (
    PiecewiseLinear,
    max_norm_bound,
    planar_transform,
    relu_network_pieces,
    spectral_norm_bound,
)
from spectral_tf.spectra.relu_gradient import (
    JumpingPieces,
    ReluGradient,
    edge_of_first_order,
    expected_change,
    relu_loss_gradient,
    relu_network_gradient,
)
from spectral_tf.spectra.robustness import (
    AccuracyLine,
    effective_robustness,
    expected_accuracy,
    line_of,
)
from spectral_tf.spectra.same_paths import (
    PATHS_FOR_COMPARISON,
    common_paths,
    correlation_on_paths,
    correlation_over_time,
    difference_of_pairs,
    difficulty,
    paired_concordance,
    shared_paths,
    which_paths,
)
from spectral_tf.spectra.spectral_bias import (
    SpectralBias,
    ball_kernel,
    half_energy_cutoff,
    kernel_density,
    projected_coefficients,
    spectral_bias,
)
from spectral_tf.spectra.tangent import (
    frequency_rates,
    frequency_velocities,
    linearised_functions,
    velocity_bounds,
)

__all__ = [
    "HALF_AMPLITUDE",
    "IMAGES_FOR_TEMPERATURE",
    "LARGEST_CONDITION",
    "PATHS_FOR_COMPARISON",
    "SETTINGS_FOR_CORRELATION",
    "SOLVERS",
    "AccuracyLine",
    "AgainstNull",
    "BoxSpectrum",
    "CurveSpectrum",
    "Estimate",
    "FilterErrors",
    "FittedCoefficients",
    "Growth",
    "Influence",
    "JumpingPieces",
    "KernelBasis",
    "LearningCurves",
    "MeanSpectrum",
    "NoiseFit",
    "PathMeasures",
    "PiecewiseLinear",
    "PowerLaw",
    "ReferenceLevels",
    "ReluGradient",
    "Sampling",
    "SpectralBias",
    "WaveFit",
    "above_zero",
    "against_null",
    "along_polyline",
    "attenuation",
    "axis_support",
    "ball_kernel",
    "bin_means",
    "bootstrap",
    "border_jumps",
    "box_spectrum",
    "centred_log_ratio",
    "class_distances",
    "coefficients",
    "coefficients_at",
    "common_paths",
    "confidence_temperature",
    "consistent_share",
    "correlation_on_paths",
    "correlation_over_settings",
    "correlation_over_time",
    "correlation_ratio",
    "crossed_mean",
    "crossing",
    "curve_spectrum",
    "cutoff_frequency",
    "dct_frequencies",
    "dct_magnitudes",
    "dct_share",
    "departure",
    "dft_frequencies",
    "dft_magnitudes",
    "dft_share",
    "difference_of_pairs",
    "difference_to_published",
    "difference_to_published_from_stats",
    "difficulty",
    "edge_of_first_order",
    "effective_robustness",
    "expected_accuracy",
    "expected_change",
    "filter_bandwidths",
    "filter_errors",
    "fit_coefficients",
    "fit_growth",
    "fit_growth_with_offset",
    "fit_power_law",
    "frequency_rates",
    "frequency_velocities",
    "gaussian_kernel",
    "gaussian_low_pass",
    "half_attenuation_norms",
    "half_energy_cutoff",
    "holm",
    "implied_smoothing",
    "influence",
    "interpolate_spectrum",
    "jackknife",
    "kernel_basis",
    "kernel_density",
    "learning_curves",
    "learning_times",
    "line_of",
    "linearised_functions",
    "logits_of",
    "magnitudes",
    "max_norm_bound",
    "mean_angle",
    "mean_confidence",
    "mean_distance",
    "mean_frequency",
    "mean_over_clusters",
    "mean_over_runs",
    "mean_spectrum",
    "merged_diversity",
    "mixing",
    "negative",
    "noise_fit",
    "normalised_magnitudes",
    "not_enough",
    "nyquist",
    "occupied_bandwidth",
    "paired_concordance",
    "paired_difference",
    "paired_ratio",
    "path_measures",
    "planar_transform",
    "plane_frequencies",
    "polyline_length",
    "power_law_over_runs",
    "projected_coefficients",
    "proportion",
    "quadrature_weights",
    "radial_spectrum",
    "reference_levels",
    "released_power",
    "released_share",
    "relu_loss_gradient",
    "relu_network_gradient",
    "relu_network_pieces",
    "rings",
    "sampling",
    "shared_paths",
    "sign_test",
    "smoothed_log_ratio",
    "spectral_bias",
    "spectral_centroid",
    "spectral_norm_bound",
    "spectral_norms",
    "spectrum_axis",
    "strongest_frequencies",
    "total_variance",
    "total_variation",
    "turned_at_random",
    "velocity_bounds",
    "wave_fit",
    "which_paths",
]
