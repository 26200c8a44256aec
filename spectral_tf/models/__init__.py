"""Builders of uncompiled Keras models. The builders import Keras: take them from their modules."""

# The activations that launchers accept; "sine" is ours, the others are Keras'.
ACTIVATIONS = ("relu", "tanh", "gelu", "silu", "elu", "softplus", "sigmoid", "sine")
