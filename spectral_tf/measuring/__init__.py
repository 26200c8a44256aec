"""The instrument for one's own work: any function of arrays, asked anywhere, in training too.

Its names stand at the top of the package: `spectral_tf.measure` and what belongs to it.
"""
