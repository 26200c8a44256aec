"""Models of any library as functions of NumPy arrays, asked batch by batch."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_tf.errors import UserError

# An array with the samples on its first axis, or a tuple, list or dict of such.
Inputs = Any
_BATCH = 1024


@dataclasses.dataclass(frozen=True)
class Function:
    """A model as a function of NumPy arrays.

    Attributes:
      call: inputs of some samples -> its outputs, as the library gives them.
      kind: `keras`, `torch`, `scikit-learn`, `onnx` or `function`.
      model: what it was made of.
      in_graph: the same on TensorFlow's tensors, of a Keras model that computes with it.
      batch: samples that it takes at once, always; 0: any number.
      programs: what has been traced of it, by what makes its inputs.
    """

    call: Callable[[Inputs], Any]
    kind: str
    model: Any
    batch: int = 0
    in_graph: Callable[[Any], Any] | None = None
    programs: dict[Any, Any] = dataclasses.field(default_factory=dict)

    def outputs(
        self, inputs: Callable[[slice], Inputs], count: int, batch_size: int = 0
    ) -> Iterator[NDArray[np.floating]]:
        """Outputs of some samples after the other, [b, ...].

        Args:
          inputs: rows -> the inputs of these samples.
          count: of all samples.
          batch_size: at once; 0: 1,024, or what the model takes.

        Raises:
          UserError: inputs that the model does not take, outputs that are no rows of numbers.
        """
        size = self.batch or batch_size or _BATCH
        # Compiled models want one shape; of anything else every sample is asked once.
        fills = bool(self.batch) or (self.kind == "keras" and count > size)
        for start in range(0, count, size):
            stop = min(start + size, count)
            given = inputs(slice(start, stop))
            if fills and stop - start < size:
                given = nested(functools.partial(_filled, size=size), given)
            found = self._asked(given, start == 0)
            if not len(found) == (size if fills else stop - start):
                raise UserError(
                    "model",
                    expected=f"an output for each of {stop - start} samples",
                    got=f"shape {found.shape}",
                    hint="put the samples on the first axis of the outputs",
                )
            yield found[: stop - start]

    def _asked(self, given: Inputs, first: bool) -> NDArray[np.floating]:
        try:
            found = self.call(given)
        except UserError:
            raise
        except Exception as error:
            if not first:
                raise
            raise refused_inputs(given, error) from error
        return _numbers(found)


def refused_inputs(given: Inputs, error: Exception) -> UserError:
    """The error of a model that does not take some inputs: libraries raise many kinds."""
    return UserError(
        "model",
        expected=f"one that takes inputs of {shapes(given)}",
        got=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}",
        hint="change the inputs with to_inputs=, or wrap the model in a function",
    )


def _filled(array: Any, size: int) -> NDArray:
    """So many rows, the first ones again behind the last one."""
    found = np.asarray(array)
    return found[np.arange(size) % len(found)]


def nested(function: Callable[[Any], Any], inputs: Inputs) -> Inputs:
    """A function of each array of some inputs."""
    if isinstance(inputs, Mapping):
        return {name: nested(function, part) for name, part in inputs.items()}
    if isinstance(inputs, (tuple, list)):
        return type(inputs)(nested(function, part) for part in inputs)
    return function(inputs)


def shapes(inputs: Inputs) -> str:
    """Shapes and types of some inputs, in words."""
    if isinstance(inputs, Mapping):
        return "{" + ", ".join(f"{name}: {shapes(part)}" for name, part in inputs.items()) + "}"
    if isinstance(inputs, (tuple, list)):
        return "(" + ", ".join(map(shapes, inputs)) + ")"
    array = np.asarray(inputs)
    return f"shape {array.shape} ({array.dtype})"


def function_of(
    model: Any, *, output: int | str | None = None, layer: str = "", outputs: str = "values"
) -> Function:
    """The function of a model.

    Args:
      model: a Keras model or layer, taken at inference; a PyTorch module, taken in evaluation mode
        and left in the mode in which each of its parts was; a scikit-learn estimator, by `predict`,
        or for `logits` and `probabilities` by `decision_function` (margins, which are logits of a
        logistic regression alone) and `predict_proba`; an ONNX
        Runtime session; or any callable of NumPy arrays (a JAX function is one).
      output: which of several, by position or name.
      layer: of a Keras model, whose output is taken instead; inner ones too, by their names.
      outputs: what is measured.

    Raises:
      UserError: none of these, no such layer or output.
    """
    if layer and not _of_library("keras", "Model", model):
        raise UserError(
            "layer",
            expected="a Keras model",
            got=type(model).__name__,
            hint="give a function that returns what the layer gives",
        )
    if isinstance(model, Function):
        return model
    if isinstance(model, type):
        raise UserError(
            "model", expected="an instance", got=f"the class {model.__name__}", hint="call it first"
        )
    if _of_library("keras", "Layer", model):
        call, in_graph = _of_keras(model, layer, output)
        return Function(call, "keras", model, in_graph=in_graph)
    if _of_library("torch.nn", "Module", model):
        return Function(_chosen(_of_torch(model), output), "torch", model)
    if hasattr(model, "run") and hasattr(model, "get_inputs"):
        call, batch = _of_onnx(model)
        return Function(_chosen(call, output), "onnx", model, batch)
    method = {"logits": "decision_function", "probabilities": "predict_proba"}.get(outputs)
    if hasattr(model, "predict") and not callable(model):
        return Function(_of_estimator(model, method or "predict"), "scikit-learn", model)
    if callable(model):
        return Function(_chosen(model, output), "function", model)
    raise UserError(
        "model",
        expected="a Keras model, a PyTorch module, a scikit-learn estimator, an ONNX session or a "
        "function of NumPy arrays",
        got=type(model).__name__,
        hint="wrap it: lambda x: ...",
    )


def _of_library(module: str, name: str, model: Any) -> bool:
    """Whether a model is one of a library, which is loaded if it is."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(model, kind)


def _of_keras(
    model: Any, layer: str, output: int | str | None
) -> tuple[Callable[[Inputs], Any], Callable[[Inputs], Any] | None]:
    """The model as a function of arrays, and of tensors where it computes with TensorFlow."""
    import keras

    inner = _layer(model, layer) if layer else None
    on_tensorflow = keras.config.backend() == "tensorflow"
    ask_model: Callable[[Inputs], Any] = functools.partial(model, training=False)
    if on_tensorflow and inner is None:
        from spectral_tf.batch_normalisation import at_inference

        ask_model = at_inference(model)

    def infer(inputs: Inputs) -> Any:
        _refuse_other_rank(model, inputs)
        with _noting(inner) as noted:
            given = ask_model(inputs)
        if inner is None:
            return _one_output(given, output, getattr(model, "output_names", ()))
        if len(noted) != 1:
            raise UserError(
                "layer",
                expected="a layer that is called once",
                got=f"{layer}, called {len(noted)} times",
                hint="give a function that returns what you want to measure",
            )
        return _one_output(noted[0], output)

    if on_tensorflow:
        import tensorflow as tf

        # TensorFlow counts traces by code, and would warn of retracing where several models are
        # measured; a partial counts by itself.
        own = functools.partial(infer)
        traced = tf.function(own, autograph=False, reduce_retracing=True)

        def ask(inputs: Inputs) -> Any:
            given = nested(tf.convert_to_tensor, inputs)
            if inner is not None and not model.built:  # Building calls layers, too.
                model(given, training=False)
            return traced(given)

        return ask, infer
    return lambda inputs: keras.ops.convert_to_numpy(infer(inputs)), None


def _refuse_other_rank(model: Any, inputs: Any) -> None:
    """Raises a UserError for inputs of other axes than declared, where Keras would add some."""
    try:
        declared = model.input_shape
    except (AttributeError, ValueError):  # Of a model that declares none.
        return
    given = getattr(inputs, "shape", None)
    if not isinstance(declared, tuple) or given is None or isinstance(declared[0], tuple):
        return
    if len(declared) != len(given):
        raise UserError(
            "model",
            expected=f"one that takes inputs of shape {tuple(given)}",
            got=f"one of inputs {declared}",
            hint="change the inputs with to_inputs=",
        )


def _layer(model: Any, name: str) -> Any:
    found = [part for part in model._flatten_layers(include_self=False) if part.name == name]
    if len(found) != 1:
        names = list(dict.fromkeys(part.name for part in model._flatten_layers(include_self=False)))
        raise UserError(
            "layer",
            expected=f"one of {', '.join(names[:12])}{', ...' * (len(names) > 12)}",
            got=f"{name}{', of which there are several' * (len(found) > 1)}",
            hint="give layers names of their own",
        )
    return found[0]


@contextlib.contextmanager
def _noting(layer: Any) -> Iterator[list[Any]]:
    """Within it what the layer gives is noted; its own `call` is back afterwards."""
    noted: list[Any] = []
    if layer is None:
        yield noted
        return
    call = layer.call

    def noting(*args: Any, **kwargs: Any) -> Any:
        given = call(*args, **kwargs)
        noted.append(given)
        return given

    # Past Keras' own __setattr__, which would track it.
    object.__setattr__(layer, "call", noting)
    try:
        yield noted
    finally:
        object.__delattr__(layer, "call")


def _of_torch(module: Any) -> Callable[[Inputs], Any]:
    import torch

    def tensor(array: Any) -> Any:
        found = torch.as_tensor(np.ascontiguousarray(array))
        parameter = next(module.parameters(), None)
        if parameter is None:
            return found
        kind = parameter.dtype if found.is_floating_point() else found.dtype
        return found.to(parameter.device, kind)

    def ask(inputs: Inputs) -> Any:
        modes = {part: part.training for part in module.modules()}
        module.eval()
        try:
            with torch.inference_mode():
                given = nested(tensor, inputs)
                if isinstance(given, Mapping):
                    return module(**given)
                return module(*given) if isinstance(given, (tuple, list)) else module(given)
        finally:
            for part, mode in modes.items():
                part.training = mode

    return ask


def _of_onnx(session: Any) -> tuple[Callable[[Inputs], Any], int]:
    wanted = session.get_inputs()
    names = [given.name for given in session.get_outputs()]
    types = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16"}
    types |= {"tensor(int64)": "int64", "tensor(int32)": "int32"}

    def ask(inputs: Inputs) -> Any:
        parts = inputs
        if not isinstance(inputs, Mapping):
            several = inputs if isinstance(inputs, (tuple, list)) else [inputs]
            parts = {own.name: part for own, part in zip(wanted, several, strict=True)}
        feed = {own.name: np.asarray(parts[own.name], types.get(own.type)) for own in wanted}
        return dict(zip(names, session.run(names, feed), strict=True))

    first = wanted[0].shape[0] if wanted and wanted[0].shape else None
    return ask, first if isinstance(first, int) else 0


def _of_estimator(model: Any, method: str) -> Callable[[Inputs], Any]:
    if not hasattr(model, method):
        raise UserError(
            "outputs",
            expected=f"an estimator with {method}",
            got=type(model).__name__,
            hint="say outputs='probabilities' where it has predict_proba, else outputs='values'",
        )
    if method == "predict" and hasattr(model, "classes_"):
        raise UserError(
            "outputs",
            expected="probabilities or logits of a classifier",
            got="values, which are its labels",
            hint="say outputs='probabilities'",
        )
    ask = getattr(model, method)

    def outputs(inputs: Inputs) -> Any:
        found = np.asarray(ask(np.asarray(inputs).reshape(len(inputs), -1)))
        classes = len(getattr(model, "classes_", ()))
        if method == "decision_function" and found.ndim == 2 and found.shape[1] != classes:
            raise UserError(
                "outputs",
                expected=f"a margin for each of {classes} classes",
                got=f"{found.shape[1]}, of pairs of classes",
                hint="make it with decision_function_shape='ovr', or say outputs='probabilities'",
            )
        return found

    return outputs


def _chosen(call: Callable[[Inputs], Any], output: int | str | None) -> Callable[[Inputs], Any]:
    return lambda inputs: _one_output(call(inputs), output)


def _one_output(given: Any, output: int | str | None, names: Any = ()) -> Any:
    """One of several outputs.

    Raises:
      UserError: several and none chosen, or one that there is not.
    """
    if isinstance(given, Mapping):
        parts = dict(given)
    elif isinstance(given, (tuple, list)) and given and np.ndim(given[0]):
        named = names if len(names) == len(given) else [str(i) for i in range(len(given))]
        parts = dict(zip(named, given, strict=True))
    elif output in (None, 0):
        return given
    else:
        raise UserError(
            "output", expected="none, of a model with a single one", got=output, hint="leave it out"
        )
    if output is None and len(parts) == 1:
        return next(iter(parts.values()))
    if isinstance(output, int) and -len(parts) <= output < len(parts):
        return list(parts.values())[output]
    if output not in parts:
        raise UserError(
            "output",
            expected=f"one of {', '.join(parts)}, or a position",
            got="nothing" if output is None else output,
            hint=f"say output={next(iter(parts))!r}" if parts else "return an array",
        )
    return parts[output]


def _numbers(found: Any) -> NDArray[np.floating]:
    if hasattr(found, "detach"):  # A tensor of PyTorch, perhaps with a history.
        found = found.detach().cpu()
        found = found.float() if found.dtype.itemsize < 4 else found
    if hasattr(found, "numpy") and not isinstance(found, np.ndarray):
        found = found.numpy()
    array = np.asarray(found)
    if array.dtype.name in ("bfloat16", "float16"):
        array = array.astype(np.float32)
    if array.ndim == 0 or array.dtype.kind not in "fiub":
        raise UserError(
            "model",
            expected="real numbers, samples on the first axis",
            got=f"{array.dtype} of shape {array.shape}",
            hint="measure real and imaginary part one by one"
            if array.dtype.kind == "c"
            else "return an array of numbers",
        )
    return array if array.dtype.kind == "f" else array.astype(np.float64)
