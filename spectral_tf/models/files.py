"""Networks that people have saved: `.keras` files, whole `.h5` files, SavedModel folders.

What tells files apart needs no Keras, so that a page refuses what it cannot use in its plan.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import json
import os
import pathlib
import re
import sys
import types
import zipfile
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from spectral_tf import storage
from spectral_tf.errors import UserError
from spectral_tf.storage import as_path, here

if TYPE_CHECKING:
    import keras

# Of files that hold a whole model.
ENDINGS = (".keras", ".h5", ".hdf5")
EXPECTED = "a .keras file, a whole model in an .h5 file, or a SavedModel folder"
_SAVED_MODEL = "saved_model.pb"
_HDF5 = b"\x89HDF\r\n\x1a\n"
# What else people keep networks in, by its ending.
_OTHERS = {
    ".pt": "PyTorch",
    ".pth": "PyTorch",
    ".onnx": "ONNX",
    ".tflite": "TensorFlow Lite",
    ".pb": "one graph of TensorFlow",
    ".ckpt": "a checkpoint of TensorFlow, weights alone",
    ".index": "a checkpoint of TensorFlow, weights alone",
    ".safetensors": "weights alone",
}


def names_a_file(name: str) -> bool:
    """Whether a name is the path of a file that Keras reads a whole model from, by its ending."""
    return name.endswith(ENDINGS)


def is_saved_model(path: str | os.PathLike[str]) -> bool:
    """Whether a folder is a SavedModel: a function without its network."""
    return (as_path(path) / _SAVED_MODEL).is_file()


def refuse_foreign(flag: str, path: str | os.PathLike[str]) -> None:
    """Raises a UserError for what holds no whole model, as far as it shows without Keras.

    Args:
      flag: how an error calls the path.
      path: of a file or a folder.
    """
    if is_saved_model(path):
        return
    file = here(path)
    got, hint = "", "save it with model.save(PATH.keras)"
    if not file.is_file():
        got, hint = "no such file", "make it first, or name one that is there"
    elif (ending := file.suffix) in _OTHERS:
        got = _OTHERS[ending]
    else:
        with open(file, "rb") as opened:
            hdf5 = opened.read(len(_HDF5)) == _HDF5
        if hdf5 and ending == ".keras":
            got, hint = "an HDF5 file by its content", "rename it to end in .h5"
        elif hdf5 and not _weights_alone(file) and ending in ENDINGS:
            return
        elif hdf5 and _weights_alone(file):
            got = "weights alone, without their network"
            hint = "build the network, load them, and save both with model.save(PATH.keras)"
        elif ending not in ENDINGS:
            got = "no such ending"
        elif not (ending == ".keras" and zipfile.is_zipfile(file)):
            got = "damaged, or another format"
    if got:
        raise UserError(flag, expected=EXPECTED, got=f"{path} ({got})", hint=hint)


def digest(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file, or of the names and contents of all files of a SavedModel folder."""
    root = here(path)
    if root.is_file():
        return storage.digest(root)
    whole = hashlib.sha256()
    for file in sorted(each for each in root.rglob("*") if each.is_file()):
        whole.update(f"{file.relative_to(root)}\0{digest(file)}\n".encode())
    return whole.hexdigest()


def refuse_missing_modules(names: Sequence[str], flag: str = "import") -> None:
    """Raises a UserError for a module that is not there; imports none, but packages around it.

    Args:
      names: of modules, found from the working directory, too; or paths that end in `.py`.
      flag: how an error calls them.
    """
    for name in names:
        got = ""
        if name.endswith(".py"):
            got = "" if pathlib.Path(name).is_file() else "no such file"
        elif not all(part.isidentifier() for part in name.split(".")):
            got = "no name of a module"
        else:
            with contextlib.suppress(ImportError, ValueError), _from_here():
                if importlib.util.find_spec(name):
                    continue
            got = "not found"
        if got:
            raise UserError(
                flag,
                expected="modules that can be imported from here, or paths of .py files",
                got=f"{name or 'nothing'} ({got})",
                hint=f"start in their folder, or say --{flag}=PATH.py",
            )


def modules_digest(names: Sequence[str]) -> str:
    """SHA-256 over the files of modules, which decide what their layers compute.

    Args:
      names: as for `refuse_missing_modules`, which they have passed.
    """
    whole = hashlib.sha256()
    for name in names:
        file: str | None = name
        if not name.endswith(".py"):
            with _from_here():
                spec = importlib.util.find_spec(name)
            file = spec.origin if spec else None
        whole.update((digest(file) if file and os.path.isfile(file) else name).encode())
    return whole.hexdigest()


def import_modules(names: Sequence[str], flag: str = "import") -> None:
    """Imports modules, so that Keras knows their layers and functions when it reads a file.

    What they register is registered. Of the others, every layer, model and function becomes known
    by its bare name, if no other module and no layer of Keras has it.

    Args:
      names, flag: as for `refuse_missing_modules`.

    Raises:
      UserError: a module that is not there or fails.
    """
    import keras

    refuse_missing_modules(names, flag)
    found: dict[str, Any] = {}
    ambiguous: set[str] = set()
    for name in names:
        for key, value in vars(_imported(name, flag)).items():
            if not _is_own(value) or hasattr(keras.layers, key):
                continue
            if found.setdefault(key, value) is not value:
                ambiguous.add(key)
    known = keras.saving.get_custom_objects()
    known.update({key: value for key, value in found.items() if key not in ambiguous})


def function_of(name: str, flag: str) -> Callable[..., Any]:
    """The function that `MODULE:FUNCTION` names.

    Raises:
      UserError: no such module or function.
    """
    module, _, function = name.rpartition(":")
    refuse_missing_modules([module], flag)
    found = getattr(_imported(module, flag), function, None)
    if not callable(found):
        raise UserError(
            flag, expected=f"a function of {module}", got=function, hint="define it there"
        )
    return found


def read(flag: str, path: str | os.PathLike[str]) -> keras.Model:
    """The model of a file or a SavedModel folder, of any inputs and outputs; uncompiled.

    A SavedModel is an inference layer: its `serving_default` endpoint, or its only one.

    Args:
      flag: how an error calls the path.
      path: of it.

    Raises:
      UserError: nothing that Keras can read; the error names the class that Keras does not know, or
        both versions of Keras if the file is of another one.
    """
    import keras

    refuse_foreign(flag, path)
    importlib.import_module("spectral_tf.batch_normalisation")  # It registers our layer.
    try:
        if is_saved_model(path):
            return _inference_layer(here(path))
        return keras.saving.load_model(here(path), compile=False)
    except UserError:
        raise
    except Exception as error:  # Keras raises many kinds for files that are not its own.
        raise _unreadable(flag, path, error) from error


def load(flag: str, path: str | os.PathLike[str]) -> keras.Model:
    """The same, of one input and one output.

    Raises:
      UserError: as `read`; several inputs or outputs.
    """
    model = read(flag, path)
    for side in ("inputs", "outputs"):
        there = getattr(model, side, None)  # A subclassed model does not tell.
        if there is not None and len(there) != 1:
            raise UserError(
                flag,
                expected="a model of one input and one output",
                got=f"{path} with {len(there)} {side}",
                hint=f"save keras.Model(...) of the one of its {side} that is meant",
            )
    return model


def input_shape(model: keras.Model) -> tuple[int | None, ...] | None:
    """The shape of one input, without the batch; None if the model does not tell."""
    shape = getattr(model, "input_shape", None)
    if shape is None:  # A subclassed model knows what it was built for.
        shape = (model.get_build_config() or {}).get("input_shape")
    if not isinstance(shape, tuple | list) or not all(
        side is None or isinstance(side, int) for side in shape
    ):
        return None
    return tuple(shape[1:])


def output_shape(model: keras.Model, inputs: Sequence[int | None]) -> tuple[int | None, ...] | None:
    """The shape of one output, without the batch; None if the model does not tell.

    Args:
      model: of one input.
      inputs: the shape of one input.
    """
    import keras

    shape = getattr(model, "output_shape", None)
    if shape is None:
        with contextlib.suppress(Exception):  # Whatever a subclass raises, it does not tell.
            shape = model(keras.KerasTensor((None, *inputs))).shape
    return tuple(shape[1:]) if isinstance(shape, tuple | list) else None


def _weights_alone(file: pathlib.Path) -> bool:
    import h5py

    with h5py.File(file, "r") as opened:
        return "model_config" not in opened.attrs


@contextlib.contextmanager
def _from_here() -> Any:
    """Within it modules are found from the working directory, too."""
    here = os.getcwd()
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)


def _imported(name: str, flag: str) -> types.ModuleType:
    try:
        with _from_here():
            if not name.endswith(".py"):
                return importlib.import_module(name)
            file = pathlib.Path(name).resolve()
            # A file of the name of a module that is there takes no module's place.
            own = file.stem if file.stem not in sys.modules else f"_{digest(file)[:16]}"
            for module in (sys.modules.get(file.stem), sys.modules.get(own)):
                if module and getattr(module, "__file__", None) == str(file):
                    return module
            spec = importlib.util.spec_from_file_location(own, file)
            assert spec
            assert spec.loader
            module = sys.modules[own] = importlib.util.module_from_spec(spec)
            try:
                spec.loader.exec_module(module)
            except BaseException:
                del sys.modules[own]
                raise
            return module
    except Exception as error:  # Whatever somebody's module raises.
        raise UserError(
            flag,
            expected=f"{name} to be imported without an error",
            got=f"{type(error).__name__}: {' '.join(str(error).split())[:160]}",
            hint="mend the module",
        ) from error


def _is_own(value: Any) -> bool:
    """Whether it is somebody's layer, model or function, and not one of Keras."""
    import keras

    module = getattr(value, "__module__", None) or ""
    if module.split(".")[0] in ("keras", "tensorflow", "builtins", "numpy"):
        return False
    if isinstance(value, type):
        return issubclass(value, keras.layers.Layer | keras.initializers.Initializer)
    return isinstance(value, types.FunctionType)


def _inference_layer(folder: pathlib.Path) -> keras.Model:
    """A SavedModel as a model of one layer, which is not trained."""
    import keras
    from tensorflow.core.protobuf import saved_model_pb2

    graph = saved_model_pb2.SavedModel.FromString((folder / _SAVED_MODEL).read_bytes())
    endpoints = {
        name: signature
        for meta in graph.meta_graphs
        for name, signature in meta.signature_def.items()
        if not name.startswith("__")
    }
    name = "serving_default" if "serving_default" in endpoints else next(iter(endpoints), "")
    if not name or ("serving_default" not in endpoints and len(endpoints) > 1):
        raise ValueError(f"endpoints {', '.join(endpoints) or 'none'}, none is serving_default")
    inputs, outputs = endpoints[name].inputs, endpoints[name].outputs
    if len(inputs) != 1 or len(outputs) != 1:
        raise ValueError(f"{len(inputs)} inputs and {len(outputs)} outputs of endpoint {name}")
    (taken,) = inputs.values()
    sides = [None if dim.size < 0 else int(dim.size) for dim in taken.tensor_shape.dim]
    if not sides or sides[0] is not None:
        raise ValueError(f"inputs {sides} of endpoint {name}: not any number of examples")
    import tensorflow as tf

    given = keras.Input(sides[1:], dtype=tf.dtypes.as_dtype(taken.dtype).name)
    layer = keras.layers.TFSMLayer(str(folder), call_endpoint=name, trainable=False)
    answer = layer(given)
    return keras.Model(given, next(iter(answer.values())) if isinstance(answer, dict) else answer)


def _unreadable(flag: str, path: str | os.PathLike[str], error: Exception) -> UserError:
    """What to say of a file that Keras does not read."""
    text = " ".join(str(error).split())
    versions = _versions(here(path))
    unknown = re.findall(r"(?:Could not locate (class|function)|Unknown (\w+):) '([^']+)'", text)
    if "`Lambda` layer" in text:
        return UserError(
            flag,
            expected="layers that need no code of the file",
            got=f"{path} with a Lambda layer, whose Python would be run{versions}",
            hint="write it as a registered layer of a module, name that with --import, and save "
            "again; or trust the file: call keras.config.enable_unsafe_deserialization() in a "
            "module that --import names",
        )
    if unknown:
        *kinds, name = unknown[-1]
        name = name.rpartition(">")[2]  # Behind the package it is registered in.
        return UserError(
            flag,
            expected="layers that Keras knows",
            got=f"{path} with the {next(filter(None, kinds))} {name}{versions}",
            hint=f"name the module that defines it: --import={_module_of(path, name) or 'MODULE'}",
        )
    reason = re.split(r"Exception encountered: ", text)[-1]
    return UserError(
        flag,
        expected=EXPECTED,
        got=f"{path} ({reason[:160]}){versions}",
        hint="save it with model.save(PATH.keras) in the version of Keras that is installed here",
    )


def _versions(path: pathlib.Path) -> str:
    """Of the Keras that wrote a file and the one that is here, if they differ."""
    import keras

    wrote = ""
    with contextlib.suppress(Exception):  # A damaged file has none.
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as opened:
                wrote = json.loads(opened.read("metadata.json"))["keras_version"]
        elif path.suffix in ENDINGS:
            import h5py

            with h5py.File(path, "r") as opened:
                wrote = opened.attrs["keras_version"]
    here = keras.__version__
    return f", written by Keras {wrote}, this is Keras {here}" if wrote not in ("", here) else ""


def _module_of(path: str | os.PathLike[str], name: str) -> str:
    """The module that a `.keras` file says defines a class or function; "" if it does not say."""
    with contextlib.suppress(Exception), zipfile.ZipFile(here(path)) as opened:
        todo: list[Any] = [json.loads(opened.read("config.json"))]
        while todo:
            part = todo.pop()
            if isinstance(part, dict):
                module = part.get("module") or ""
                own = module.split(".")[0] not in ("", "builtins", "keras")
                if own and name in (part.get("class_name"), part.get("config")):
                    return str(module)
                todo += part.values()
            elif isinstance(part, list):
                todo += part
    return ""
