"""Spectral bias of neural networks, measured.

A trained network is a function: sample it, take the spectrum of the samples, and follow that
spectrum while the network trains. The packages, from the inside out:

* `spectral_tf.spectra`: samples -> numbers (NumPy, float64, pure; needs no TensorFlow);
* `spectral_tf.tasks`, `spectral_tf.models`: what is learned, and by what;
* `spectral_tf.probes`: model -> samples;
* `spectral_tf.records`: the run folder, with its tables, figures and TensorBoard events;
* `spectral_tf.training`: many copies of a small model at once, saved and resumed exactly;
* `spectral_tf.runtime`: strategies, seeds and the flags that launchers share;
* `spectral_tf.experiments`: what several pages compose alike.
"""

__version__ = "0.1.0"
