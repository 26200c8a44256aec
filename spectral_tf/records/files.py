"""Files that are written whole or not at all."""

from spectral_tf.storage import atomic_write, is_temporary

__all__ = ["atomic_write", "is_temporary"]
