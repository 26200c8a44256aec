"""Model -> samples. A probe never trains, logs, draws or changes what it measures.

The probes import TensorFlow: take them from their modules.
"""
