"""Many copies of a small model trained at once, from probe to probe, saved and resumed exactly.

The modules import TensorFlow: take `Ensemble`, `Adam` and `Session` from them.
"""
