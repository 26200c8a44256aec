"""Spectral bias of neural networks, measured.

A trained network is a function: sample it, take the spectrum of the samples, and follow that
spectrum while the network trains. The rooms, from the inside out:

* `spectral_tf.spectra`: samples -> numbers (NumPy, float64, pure);
* `spectral_tf.tasks`, `spectral_tf.models`: what is learned, and by what;
* `spectral_tf.probes`: model -> samples;
* `spectral_tf.records`: the run folder, with its tables, figures and TensorBoard events;
* `spectral_tf.training`: many copies of a small model at once, saved and resumed exactly;
* `spectral_tf.runtime`: strategies, seeds and the flags that launchers share.
"""

import importlib.util

__version__ = "0.1.0"

if importlib.util.find_spec("tensorflow") is None:
    raise ImportError(
        "spectral_tf needs TensorFlow, expected one of its three builds and found none: "
        "pip install 'spectral-tf[cpu]', pip install 'spectral-tf[gpu]' or "
        "pip install 'spectral-tf[tpu]' (from a clone: '.[cpu]', '.[gpu]', '.[tpu]')"
    )
