"""What is to be learned: inputs, targets and their exact spectrum.

NumPy until a task is asked for its `tf.data` pipeline, so that launchers can check their flags
before TensorFlow is imported.
"""

from spectral_tf.tasks.delta import Delta
from spectral_tf.tasks.distillation import SoftLabels
from spectral_tf.tasks.embeddings import Scale, flat, flat_of_covariance, flat_of_scale, scale
from spectral_tf.tasks.kernel_noise import kernel_noise
from spectral_tf.tasks.label_waves import (
    WAVES,
    SmoothingWave,
    fourier_direction,
    frequency_for_cycles,
    orientations,
    power_law_direction,
    random_direction,
    refuse_one_wave_twice,
    still_wave,
)
from spectral_tf.tasks.labels import LabelWave
from spectral_tf.tasks.manifolds import Flower
from spectral_tf.tasks.own_samples import Samples, read_samples
from spectral_tf.tasks.own_target import Leakage, OwnTarget, target_spectrum
from spectral_tf.tasks.pairs import pairs
from spectral_tf.tasks.placed_waves import (
    AskedWave,
    PlacedWave,
    ask_waves,
    place_waves,
    wave_title,
)
from spectral_tf.tasks.plane_waves import (
    ACROSS,
    NOISE_WAVES,
    PlaneWaves,
    PrincipalAxes,
    noise_directions,
    noise_wave,
)
from spectral_tf.tasks.radial import CONVENTIONS, RadialWave
from spectral_tf.tasks.sines import SumOfSines, amplitudes_from_spec
from spectral_tf.tasks.two_classes import TwoClasses

__all__ = [
    "ACROSS",
    "CONVENTIONS",
    "NOISE_WAVES",
    "WAVES",
    "AskedWave",
    "Delta",
    "Flower",
    "LabelWave",
    "Leakage",
    "OwnTarget",
    "PlacedWave",
    "PlaneWaves",
    "PrincipalAxes",
    "RadialWave",
    "Samples",
    "Scale",
    "SmoothingWave",
    "SoftLabels",
    "SumOfSines",
    "TwoClasses",
    "amplitudes_from_spec",
    "ask_waves",
    "flat",
    "flat_of_covariance",
    "flat_of_scale",
    "fourier_direction",
    "frequency_for_cycles",
    "kernel_noise",
    "noise_directions",
    "noise_wave",
    "orientations",
    "pairs",
    "place_waves",
    "power_law_direction",
    "random_direction",
    "read_samples",
    "refuse_one_wave_twice",
    "scale",
    "still_wave",
    "target_spectrum",
    "wave_title",
]
