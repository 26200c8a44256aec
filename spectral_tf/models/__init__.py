"""Builders of uncompiled Keras models. The builders import Keras: take them from their modules."""

# The activations that launchers accept; "sine" is ours, the others are Keras'.
ACTIVATIONS = ("relu", "tanh", "gelu", "silu", "elu", "softplus", "sigmoid", "sine")

# The image classifiers that launchers build by name (`models.classifiers`).
CLASSIFIERS = (
    *("convnet", "small_resnet", "wrn_32", "wrn_160"),
    *("shake_shake_32", "shake_shake_96", "shake_shake_112", "pyramid_net"),
)
