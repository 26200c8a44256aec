"""Subpackages whose modules load when a name of theirs is first used.

Launchers import subpackages at their top, `from spectral_tf import training`, and use
`training.Ensemble` in `run`: nothing heavy loads before a page has checked its flags. (`from
spectral_tf.training import Ensemble` loads at once; a test keeps that form out of pages.)
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from spectral_tf import keras_settings

# Of what needs it; TensorFlow is an extra, since its builds overwrite each other.
NO_TENSORFLOW = (
    "spectral_tf needs TensorFlow for this, expected one of its three builds and found none: "
    "pip install 'spectral-tf[cpu]', pip install 'spectral-tf[gpu]' or "
    "pip install 'spectral-tf[tpu]' (from a clone: '.[cpu]', '.[gpu]', '.[tpu]')"
)


def subpackage(
    name: str, names: Mapping[str, str], modules: Sequence[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package.

    Args:
      name: of the package, its `__name__`.
      names: {public name: module of the package that defines it}.
      modules: that are public themselves.

    Raises:
      AttributeError: (`__getattr__`) a name that is not public.
      ImportError: (`__getattr__`) without TensorFlow, or with Keras on another backend.
    """
    public = sorted({*names, *modules})

    def get(attribute: str) -> Any:
        if attribute in modules:
            return importlib.import_module(f"{name}.{attribute}")
        if attribute not in names:
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        try:
            module = importlib.import_module(f"{name}.{names[attribute]}")
        except ModuleNotFoundError as error:
            if error.name in ("jax", "torch", "openvino"):  # Keras looks for its backend.
                raise keras_settings.other_backend(error.name) from error
            if error.name not in ("tensorflow", "keras"):
                raise
            raise ImportError(NO_TENSORFLOW, name=error.name) from error
        keras_settings.refuse_other_backend()
        return getattr(module, attribute)

    return get, lambda: public, public
