"""What the committed tables of experiments on images must show, by docs/protocols.md."""

import itertools
import json

import numpy as np
import pytest
from conftest import ROOT

from spectral_tf import tasks
from spectral_tf.data import find_images, to_unit
from spectral_tf.records import read_table

RESULTS = ROOT / "results"
LATER = ("mnist_noise/waves", "mnist_manifold/variational")


def columns(folder, table):
    return {name: np.array(v) for name, v in read_table(RESULTS / folder / f"{table}.csv").items()}


def test_all_say_that_they_are_real_mnist():
    for folder in ("kernel_projection", "mnist_manifold", "mnist_noise/notebook", *LATER):
        environment = json.loads((RESULTS / folder / "environment.json").read_text())
        assert environment["data"]["version"] == "mnist/3.0.1"
        assert environment["data"]["num_examples"] == 60_000


class TestKernelProjection:
    @pytest.fixture(scope="class")
    def losses(self):
        t = columns("kernel_projection", "losses")
        steps = np.unique(t["step"])
        return steps, {
            noise: (
                t["train_loss"][t["noise"] == noise].reshape(3, -1),
                t["validation_loss"][t["noise"] == noise].reshape(3, -1),
            )
            for noise in ("white", "high_frequency")
        }

    def test_the_kernel_is_the_published_one(self):
        values = columns("kernel_projection", "eigenvalues")["eigenvalue"]
        assert values.size == 2_000
        assert abs(values[0] - 1.088) < 1e-3
        assert abs(values[-1] - 0.913) < 1e-3
        assert np.all(np.abs(values[300:1_700] - 1) < 1e-3)
        assert abs(values.sum() - 2_000) < 1e-6  # The trace: every point with itself.

    @pytest.mark.parametrize(("noise", "limit"), [("white", 1 / 3), ("high_frequency", 0.2)])
    def test_validation_dips_and_rises_to_its_closed_form_while_training_falls(
        self, noise, limit, losses
    ):
        steps, of = losses
        train, valid = of[noise]
        for run in valid:  # In every run.
            dip = run.argmin()
            assert 100 <= steps[dip] <= 300
            assert run[0] > 0.9
            assert run[dip] < 0.1
            assert abs(run[-1] - limit) < 0.02
        # Medians over stretches of the first 1,000 steps: Adam's spikes aside.
        early = train.mean(axis=0)[steps <= 1_000]
        falling = [np.median(part) for part in np.array_split(early, 10)]
        assert train[:, -1].max() < 0.01
        assert all(later < earlier for earlier, later in itertools.pairwise(falling))

    def test_the_dip_of_high_frequency_noise_is_lower(self, losses):
        _, of = losses
        white, high = (of[noise][1].min(axis=1) for noise in ("white", "high_frequency"))
        assert white.min() > high.max()

    def test_late_bins_follow_the_clean_target_first(self):
        t = columns("kernel_projection", "coefficients")
        summary = json.loads((RESULTS / "kernel_projection" / "summary.json").read_text())
        assert abs(summary["sum_of_squared_coefficients_of_the_clean_target"] - 2_000) < 1e-6
        for noise in ("white", "high_frequency"):

            def late(function, step=None, noise=noise):
                chosen = (t["noise"] == noise) & (t["function"] == function) & (t["bin"] >= 50)
                return t["magnitude"][chosen & ((t["step"] == step) if step else True)]

            clean, noised = late("clean_target"), late("noised_target")
            for step, nearer, farther in (
                (summary[noise]["dip_step"], clean, noised),
                (5_000, noised, clean),
            ):
                network = late("network", step)
                assert network.shape == nearer.shape == (50,)
                near, far = (np.linalg.norm(network - target) for target in (nearer, farther))
                assert near < far / 4, (noise, step)


class TestMnistManifold:
    @pytest.fixture(scope="class")
    def fitted_at(self):
        """{cloud: (step at which half of the noise is fitted, low, high)}."""
        summary = json.loads((RESULTS / "mnist_manifold" / "summary.json").read_text())
        assert summary["num_runs"] == 10
        return summary["half_fitted_at_step_with_interval"]

    def test_the_steps_are_those_of_the_losses(self, fitted_at):
        t = columns("mnist_manifold", "losses")
        for cloud, (step, _, _) in fitted_at.items():
            of_cloud = t["cloud"] == cloud
            loss_there = np.interp(step, t["step"][of_cloud], t["loss"][of_cloud])
            np.testing.assert_allclose(loss_there, 1 / 24, rtol=1e-6)

    def test_the_papers_flat_cloud_is_harder_than_the_manifold(self, fitted_at):
        assert fitted_at["manifold"][2] < fitted_at["flat"][1]

    def test_at_equal_scale_the_manifold_has_no_advantage(self, fitted_at):
        manifold, flat = fitted_at["manifold"], fitted_at["flat, same scale"]
        assert manifold[1] < flat[0] < manifold[2]
        assert fitted_at["flat, same covariance"][2] < manifold[1]

    def test_the_scales_are_matched_where_they_say_so(self):
        t = columns("mnist_manifold", "scale")
        norm, distance = (
            dict(zip(t["cloud"], t[c], strict=True)) for c in ("rms_norm", "rms_distance")
        )
        for cloud in ("flat, same scale", "flat, same covariance"):
            np.testing.assert_allclose(norm[cloud], norm["manifold"], rtol=0.01)
            np.testing.assert_allclose(distance[cloud], distance["manifold"], rtol=0.01)
        assert distance["flat"] < 0.4 * distance["manifold"]


class TestMnistNoise:
    @pytest.fixture(scope="class")
    def notebook(self):
        """{(k, beta): (minimum, its step, final, expected)} of the four published curves."""
        t = columns("mnist_noise/notebook", "validation")
        assert set(t["convention"]) == {"cycles"}
        rows = zip(
            *(t[c] for c in ("frequency", "noise_amplitude")),
            zip(
                *(t[c] for c in ("minimum", "minimum_step", "final", "expected_floor")), strict=True
            ),
            strict=True,
        )
        return {(k, beta): values for k, beta, values in rows}

    def test_the_split_is_the_published_one(self):
        summary = json.loads((RESULTS / "mnist_noise" / "notebook" / "summary.json").read_text())
        assert summary["num_training_images"] == 9_585
        assert summary["num_validation_images"] == 2_397
        assert summary["num_steps"] == 5_000

    def test_the_clean_floor_is_the_protocols(self, notebook):
        assert 0.03 < notebook[0, 0][0] <= notebook[0, 0][2] < 0.04

    def test_slow_noise_goes_straight_to_its_floor(self, notebook):
        lowest, _, final, expected = notebook[0.05, 1]
        assert abs(final - expected) < 0.01
        assert lowest > 0.9 * final

    def test_with_rising_frequency_the_dip_gets_deeper_and_later_and_the_end_rises(self, notebook):
        slow, middle, fast = (notebook[k, 1] for k in (0.05, 0.2, 1))
        assert fast[0] < 0.5 * middle[0] < 0.5 * slow[0]
        assert fast[1] > middle[1]
        assert fast[2] > middle[2] > slow[2]
        assert fast[0] < 0.15 * fast[2]

    def test_training_losses_begin_at_their_closed_form_and_vanish(self, mnist_dir):
        pixels, labels = find_images("mnist", data_dir=str(mnist_dir)).arrays()
        pair = tasks.TwoClasses.of_images(to_unit(pixels), labels, (3, 8))
        training, _ = pair.split(0.8)
        t = columns("mnist_noise/notebook", "losses")
        for k, beta in ((0, 0), (0.05, 1), (0.2, 1), (1, 1)):
            loss = t["train_loss"][(t["frequency"] == k) & (t["noise_amplitude"] == beta)]
            # An untrained network is nearly 0 (the outputs are within +-0.05 here).
            target = training.signs + beta * tasks.RadialWave(k, "cycles")(training.inputs)
            np.testing.assert_allclose(loss[0], np.mean(target**2), rtol=0.05)
            assert np.median(loss[-50:]) < 0.01 * (1 + beta**2)

    def test_the_panels_hold_all_curves_and_agree_with_the_longer_runs(self, notebook):
        t = columns("mnist_noise/panels", "validation")
        curves = set(zip(t["frequency"], t["noise_amplitude"], strict=True))
        assert len(curves) == 15
        assert {(0.1, beta) for beta in (0.25, 0.5, 1, 2)} < curves
        for (k, beta), (lowest, step, _, expected) in notebook.items():
            here = (t["frequency"] == k) & (t["noise_amplitude"] == beta)
            if beta:  # The same network, as far as it goes; the clean one's minimum is flat.
                assert t["minimum_step"][here] == step
            np.testing.assert_allclose(t["minimum"][here], lowest, rtol=0.02)
            np.testing.assert_allclose(t["expected_floor"][here], expected, rtol=0.02)

    def test_the_best_loss_depends_on_the_amplitude_of_slow_noise_more_than_of_fast(self):
        t = columns("mnist_noise/panels", "validation")

        def spread(k):
            lowest = t["minimum"][t["frequency"] == k]
            assert lowest.size == 4
            return lowest.max() / lowest.min()

        assert spread(0.1) > 2 * spread(1.0)


class TestPlaneWaves:
    """Noise of three kinds at equal cycles across the data: two runs, a tenth of the images."""

    FOLDER = "mnist_noise/waves"

    @pytest.fixture(scope="class")
    def of(self):
        """{(kind of wave, cycles): row of the table}."""
        t = columns(self.FOLDER, "validation")
        np.testing.assert_allclose(t["cycles_across_data"], t["frequency"])
        rows = [dict(zip(t, row, strict=True)) for row in zip(*t.values(), strict=True)]
        return {(row["wave"], row["frequency"]): row for row in rows}

    @pytest.mark.long
    def test_the_waves_are_those_of_the_images(self, of, mnist_dir):
        pixels, labels = find_images("mnist", data_dir=str(mnist_dir)).arrays()
        pair = tasks.TwoClasses.of_images(to_unit(pixels), labels, (3, 8))
        training, validation = pair.split(0.1)
        axes = tasks.PrincipalAxes.of(training.inputs)
        wave = tasks.noise_wave(4.0, tasks.ACROSS, training.inputs, axes.directions[:1])
        power = np.mean(wave(validation.inputs) ** 2)
        clean = of["radial", 0]["final"]
        np.testing.assert_allclose(of["principal", 4]["expected_floor"] - clean, power, rtol=1e-3)
        t = columns(self.FOLDER, "components")
        chosen = (t["wave"] == "principal") & (t["frequency"] == 0.5)
        np.testing.assert_allclose(
            t["share_if_normal"][chosen],
            tasks.noise_wave(
                0.5, tasks.ACROSS, training.inputs, axes.directions[:1]
            ).carried_if_gaussian(axes)[t["components"][chosen].astype(int) - 1],
            rtol=1e-3,
        )

    @pytest.fixture(scope="class")
    def left(self, of):
        """{(kind, cycles): (value, low, high)} of what is left of the noise at the lowest loss."""
        clean = of["radial", 0]
        return {
            key: tuple(
                (row[f"minimum{end}"] - clean["minimum"]) / (row["expected_floor"] - clean["final"])
                for end in ("", "_low", "_high")
            )
            for key, row in of.items()
            if key[1]
        }

    def test_slow_waves_of_different_kinds_differ_in_power(self, of):
        floors = [of[wave, 0.5]["expected_floor"] for wave in tasks.NOISE_WAVES]
        powers = np.array(floors) - of["radial", 0]["final"]
        np.testing.assert_allclose(powers, [0.60, 0.38, 0.39], atol=0.005)

    def test_of_slow_noise_more_is_left_than_of_fast_but_for_the_random_direction(self, of, left):
        assert {row["minimum_n"] for row in of.values()} == {2}
        for wave in ("radial", "principal"):  # Intervals do not overlap.
            assert left[wave, 0.5][1] > left[wave, 4][2]
        assert left["random", 0.5][0] > left["random", 4][0]
        assert left["random", 0.5][1] < left["random", 4][2]
        assert max(left[wave, 4][0] for wave in tasks.NOISE_WAVES) < 0.1

    def test_which_kind_of_slow_noise_leaves_most_is_undecided(self, left):
        slow = np.array([left[wave, 0.5] for wave in tasks.NOISE_WAVES])
        np.testing.assert_allclose(slow[:, 0], [0.73, 0.36, 0.95], atol=0.005)
        assert slow[:, 1].max() < slow[:, 2].min()

    def test_the_page_has_these_numbers(self, left):
        page = (RESULTS / "mnist_noise" / "README.md").read_text()
        for (wave, cycles), (value, low, high) in left.items():
            told = f"{value:.2f} ({low:.2f} to {high:.2f})".replace("-", "−")
            (row,) = (r for r in page.splitlines() if r.startswith(f"| {wave} | {cycles:g} |"))
            assert row.endswith(f"| {told} |")
        assert "one direction, drawn once for all runs and frequencies" in page

    def test_fast_noise_is_carried_by_chance_alone(self):
        t = columns(self.FOLDER, "components")
        hundred = (t["components"] == 100) & (t["frequency"] == 4)
        assert hundred.sum() == 3
        np.testing.assert_allclose(t["share_of_noise_variance"][hundred], 100 / 1_198, rtol=0.06)
        assert np.nanmax(t["share_if_normal"][hundred]) < 1e-9


class TestVariational:
    """The cloud of a variational autoencoder: three small networks on each cloud."""

    FOLDER = "mnist_manifold/variational"

    @pytest.fixture(scope="class")
    def summary(self):
        return json.loads((RESULTS / self.FOLDER / "summary.json").read_text())

    def test_the_scales_are_matched_where_they_say_so(self):
        t = columns(self.FOLDER, "scale")
        for name in ("rms_norm", "rms_distance"):
            size = dict(zip(t["cloud"], t[name], strict=True))
            for cloud in ("flat, same scale", "flat, same covariance"):
                np.testing.assert_allclose(size[cloud], size["manifold"], rtol=0.02)
        assert size["flat"] < 0.5 * size["manifold"]

    @pytest.mark.long
    def test_the_bound_is_that_of_a_linear_model_of_half_as_many_components(
        self, summary, mnist_dir
    ):
        """Probabilistic PCA of all training images, in closed form, of the same images."""
        pixels, _ = find_images("mnist", data_dir=str(mnist_dir)).arrays()
        images = to_unit(pixels).reshape(len(pixels), -1)
        images -= images.mean(axis=0, dtype=np.float64).astype(np.float32)
        variances, axes = np.linalg.eigh((images.T @ images).astype(np.float64) / len(images))
        variances, squares = variances[::-1], ((images[:1_000] @ axes[:, ::-1]) ** 2).mean(axis=0)

        def likelihood(size):
            """Mean log p(x) in nats, by Tipping and Bishop (1999)."""
            each = np.where(np.arange(784) < size, variances, variances[size:].mean())
            return -np.sum(np.log(2 * np.pi * each) + squares / each) / 2

        bound = summary["evidence_lower_bound_nats"]
        assert bound["n"] == 1_000
        assert likelihood(30) < bound["low"] < bound["high"] < likelihood(40)
        page = (RESULTS / "mnist_manifold" / "README.md").read_text()
        told = [f"{likelihood(size):.0f} of {size}" for size in (30, 40, 64)]
        assert "a linear model, probabilistic PCA, has {}, {} and {}".format(*told) in page

    def test_the_order_of_the_means_is_that_of_the_denoising_one(self, summary):
        fitted = summary["half_fitted_at_step"]
        assert {entry["n"] for entry in fitted.values()} == {3}
        assert fitted["flat"]["value"] == "never"
        at = [fitted[name]["value"] for name in ("flat, same covariance", "flat, same scale")]
        assert at[0] < at[1] < fitted["manifold"]["value"] < 500
        # Nothing is decided: every interval begins before another one ends.
        assert max(entry["low"] for entry in fitted.values()) < min(
            entry["high"] for entry in fitted.values() if entry["high"] != "never"
        )

    def test_in_each_run_the_curved_cloud_is_between_the_flat_ones(self):
        t = columns(self.FOLDER, "runs")
        for run in range(3):
            loss = {
                cloud: t["loss"][(t["cloud"] == cloud) & (t["run"] == run) & (t["step"] == 200)]
                for cloud in set(t["cloud"])
            }
            assert loss["flat, same covariance"] < loss["manifold"] < loss["flat"]
