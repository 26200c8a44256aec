import hashlib

import numpy as np

from spectral_tf import runtime


def test_a_seed_is_the_start_of_a_digest_equal_on_every_machine():
    digest = hashlib.sha256(b"0/init/3").hexdigest()
    assert runtime.derive_seed(0, "init", 3) == int(digest[:8], 16) // 2 == 1_926_037_226


def test_names_and_roots_give_unrelated_seeds():
    seeds = [runtime.derive_seed(root, "init", run) for root in range(2) for run in range(250)]
    assert len(set(seeds)) == 500
    assert min(seeds) >= 0
    assert max(seeds) < 2**31
    # The mean of 500 uniform draws: half the range, standard error 0.026 of it.
    assert abs(np.mean(seeds) / 2**30 - 1) < 0.1
    assert runtime.derive_seed(0, "a", "b") != runtime.derive_seed(0, "b", "a")


def test_generators_repeat_by_name():
    draws = [runtime.generator(0, name).normal() for name in ("x", "x", "y")]
    assert draws[0] == draws[1] != draws[2]
