"""What the environment may have told Keras, and what this package computes with.

Keras takes its backend from the variable KERAS_BACKEND or from keras.json, and from that file the
type of its weights and the order of images' axes, too. Here all is TensorFlow, float32 and channels
last. TF_USE_LEGACY_KERAS makes TensorFlow itself look for another Keras, which need not be there.
"""

import json
import os
import pathlib
import sys

BACKEND = "tensorflow"
_LEGACY = "TF_USE_LEGACY_KERAS"
_WANTED = {"floatx": "float32", "image_data_format": "channels_last", "epsilon": 1e-7}


def take_tensorflow() -> str:
    """Makes Keras take TensorFlow in this process; to be called before Keras is imported.

    Returns:
      what was said instead, as "KERAS_BACKEND=jax"; "" if nothing was.
    """
    told = []
    variable, file = os.environ.get("KERAS_BACKEND", ""), _file()
    asked = variable or str(_configured().get("backend", BACKEND))
    if asked != BACKEND:
        os.environ["KERAS_BACKEND"] = BACKEND
        told.append(f"KERAS_BACKEND={asked}" if variable else f"{file} with backend {asked}")
    if (legacy := os.environ.get(_LEGACY, "0")).lower() not in ("", "0", "false"):
        os.environ[_LEGACY] = "0"
        told.append(f"{_LEGACY}={legacy}")
    return " and ".join(told)


def take_defaults() -> str:
    """Gives Keras the types and the order of axes that it is delivered with; imports Keras.

    Returns:
      what was configured instead, in words; "" if nothing was.
    """
    import keras

    now = {
        "floatx": keras.config.floatx(),
        "image_data_format": keras.config.image_data_format(),
        "epsilon": keras.config.epsilon(),
    }
    others = [f"{name} {value}" for name, value in now.items() if value != _WANTED[name]]
    keras.config.set_floatx(_WANTED["floatx"])
    keras.config.set_image_data_format(_WANTED["image_data_format"])
    keras.config.set_epsilon(_WANTED["epsilon"])
    return f"{_file()} with {', '.join(others)}" if others else ""


def refuse_other_backend() -> None:
    """Raises an ImportError of one line if Keras was imported with another backend."""
    keras = sys.modules.get("keras")
    backend = getattr(keras, "config", None) and keras.config.backend()  # type: ignore[union-attr]
    if backend and backend != BACKEND:
        raise other_backend(backend)


def other_backend(backend: str) -> ImportError:
    """The error of a Keras that has another backend."""
    return ImportError(
        f"spectral_tf computes with TensorFlow: expected Keras with KERAS_BACKEND={BACKEND}, got "
        f"{backend}; set that variable before Keras is imported",
        name="keras_backend",
    )


def _file() -> pathlib.Path:
    home = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    return pathlib.Path(home) / "keras.json"


def _configured() -> dict[str, object]:
    try:
        found = json.loads(_file().read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
