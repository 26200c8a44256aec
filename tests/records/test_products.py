import os
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from spectral_tf.records import products


def rounded(x, bits):
    """The nearest number with so many explicit bits of significand, by its representation."""
    away = 23 - bits
    half = np.uint32((1 << away) >> 1)
    return ((x.view(np.uint32) + half) >> away << away).view(np.float32)


def test_rounding_is_to_the_nearest():
    x = np.array([1 + 3 * 2**-9, 1 + 2**-9, -1.75, 3.0], np.float32)
    assert rounded(x, 7).tolist() == [1 + 2**-7, 1.0 + 0, -1.75, 3.0]
    np.testing.assert_array_equal(rounded(x, 7), tf.cast(tf.cast(x, tf.bfloat16), tf.float32))
    np.testing.assert_array_equal(rounded(x, 23), x)


@pytest.mark.parametrize("precision", products.SIGNIFICAND_BITS)
def test_a_product_of_rounded_factors_is_called_by_its_name(precision):
    bits = products.SIGNIFICAND_BITS[precision]
    first, second = (rounded(factor, bits) for factor in products.factors())
    found = products.classify(first.astype(np.float64) @ second.astype(np.float64))
    assert found.precision == precision
    if precision != "float32":  # Whose factors are what they are; float64 sums are exact.
        assert found.relative_error == pytest.approx(products.expected_error(precision), rel=0.15)
    assert products.classify(first @ second).precision == precision


def test_what_no_rounding_explains_has_no_name():
    first, second = products.factors()
    for wrong in (first @ second.T, np.full_like(first, np.nan), 1.1 * (first @ second)):
        assert products.classify(wrong).precision == "none of these"


@pytest.mark.parametrize(
    ("asked", "bits", "said"),
    [
        (False, 23, ""),
        (
            False,
            10,
            "are multiplied in tf32 here .relative error 2.9e-04.*not in float32 as asked",
        ),
        (False, 7, "multiplied in bfloat16 here.*unset NVIDIA_TF32_OVERRIDE"),
        (True, 23, "--precision=tf32: not on this device, it computes in float32"),
        (True, 10, ""),
        (True, 7, "multiplied in bfloat16 here .*not in tf32 as asked"),
    ],
)
def test_a_device_that_does_otherwise_is_told_of(asked, bits, said, monkeypatch):
    def product(a, b):
        return tf.constant(rounded(a.numpy(), bits) @ rounded(b.numpy(), bits))

    lines = []
    for level in ("info", "warning"):
        monkeypatch.setattr(products.logging, level, lambda text, *of: lines.append(text % of))
    monkeypatch.setattr(products, "OPERATIONS", {"product": product})
    monkeypatch.setattr(tf.config.experimental, "tensor_float_32_execution_enabled", lambda: asked)
    found = products.record(tf.distribute.get_strategy())
    assert found["asked"] == ("tf32" if asked else "float32")
    assert products.SIGNIFICAND_BITS[found["precision"]] == bits
    assert len(lines) == bool(said)
    assert re.search(said, "".join(lines))


@pytest.mark.long
def test_onednn_that_rounds_convolutions_is_found_out():
    """A processor with bfloat16 products, told to use them: matrix products alone stay exact."""
    with open("/proc/cpuinfo") as file:
        if "avx512_bf16" not in file.read():
            pytest.skip("a processor without bfloat16 products")
    code = (
        "import tensorflow as tf; from spectral_tf.records.products import measure_products; "
        "print(*measure_products(tf.distribute.get_strategy()), sep='|')"
    )
    told = {"TF_ENABLE_ONEDNN_OPTS": "1", "TF_SET_ONEDNN_FPMATH_MODE": "BF16"}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **told}
    )
    precision, error, operation = result.stdout.strip().split("|")
    assert precision == "bfloat16", result.stderr
    assert operation in ("batched matrix product", "convolution")
    assert float(error) == pytest.approx(products.expected_error("bfloat16"), rel=0.15)
