"""The four panels of label noise, of a table whose means are known."""

import numpy as np
import pytest

from spectral_tf.errors import UserError
from spectral_tf.records import figures
from spectral_tf.records.figures.label_noise import FOUR_PANELS

COLUMNS = ("wave", "image_frequency", "direction", "frequency", "cycles", "seed", "epoch")
COLUMNS += tuple(FOUR_PANELS)
EPOCHS = 4


def table(waves, *, directions=1, seeds=2, lost=()):
    """Every training of waves {cycles: level} and of the control; a value is level + run + epoch.

    Noise fitting is the same but for a minimum at epoch 2. Those of (wave, run) diverged.
    """
    rows = []
    named = [(f"radial_cycles_{cycles}", cycles, level) for cycles, level in waves.items()]
    for name, cycles, level in [*named, ("uniform", 0.0, 50.0)]:
        for run in range(directions * seeds):
            direction = run // seeds if cycles else 0
            called = f"{name}_direction_{direction}" if directions > 1 and cycles else name
            for epoch in range(EPOCHS):
                value = np.nan if (name, run) in lost and epoch else level + run + epoch
                train = np.nan if not epoch else value
                nf = value - 100.0 * (epoch == 2)
                told = (called, np.nan, direction, cycles / 10, cycles, run, epoch)
                rows.append((*told, train, value, value, nf))
    return dict(zip(COLUMNS, map(np.array, zip(*rows, strict=True)), strict=True))


def curves(axes):
    return {line.get_label(): line for line in axes.lines if len(line.get_xdata()) == EPOCHS}


def test_every_panel_has_the_mean_of_every_frequency_with_its_band():
    figure = figures.four_panels(table({4: 30.0, 1: 10.0}), title="of these")
    assert [axes.get_ylabel() for axes in figure.axes] == list(FOUR_PANELS.values())
    assert {axes.get_xlabel() for axes in figure.axes} == {"epoch"}
    names = ["1 cycles (f = 0.1)", "4 cycles (f = 0.4)", "uniform smoothing, no wave"]
    for axes in figure.axes:
        assert list(curves(axes)) == names  # By frequency, not as the table has them.
        assert len(axes.collections) == 3
    for level, name in zip((10.0, 30.0, 50.0), names, strict=True):
        train, noisy, clean, nf = (curves(axes)[name].get_ydata() for axes in figure.axes)
        mean = level + 0.5 + np.arange(EPOCHS)
        np.testing.assert_allclose(noisy, mean)
        np.testing.assert_allclose(clean, mean)
        np.testing.assert_allclose(train[1:], mean[1:])
        assert np.isnan(train[0])  # There was no batch before.
        np.testing.assert_allclose(nf, mean - 100.0 * (np.arange(EPOCHS) == 2))
    # Two values 1 apart: Student's quantile of one degree of freedom, 12.7, times a half.
    band = figure.axes[1].collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == pytest.approx(10.5 - 12.706 / 2, abs=1e-3)
    title = figure.get_suptitle()
    assert "noise fitting by epoch" in title
    assert "over seeds" in title
    assert title.endswith("of these")


def test_the_minimum_of_noise_fitting_is_marked_in_its_colour():
    figure = figures.four_panels(table({1: 10.0}), title="t")
    nf = figure.axes[3]
    dots = [line for line in nf.lines if list(line.get_xdata()) == [2]]
    assert [line.get_ydata()[0] for line in dots] == [10.5 + 2 - 100, 50.5 + 2 - 100]
    colours = [line.get_color() for line in curves(nf).values()]
    assert [line.get_color() for line in dots] == colours
    assert len(set(colours)) == 2
    assert "minimum" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_colours_follow_the_frequencies():
    figure = figures.four_panels(table({8: 1.0, 2: 2.0, 4: 3.0}), title="t")
    drawn = [line.get_color() for line in curves(figure.axes[0]).values()][:3]
    assert drawn == figures.shades(3)


def test_seeds_are_averaged_within_directions_that_make_the_interval():
    figure = figures.four_panels(table({1: 10.0}, directions=2), title="t")
    # Directions have the runs 0, 1 and 2, 3: means 0.5 and 2.5, so 2 apart.
    axes = figure.axes[1]
    np.testing.assert_allclose(
        curves(axes)["1 cycles (f = 0.1)"].get_ydata(), 11.5 + np.arange(EPOCHS)
    )
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == pytest.approx(11.5 - 12.706, abs=1e-3)
    assert "over directions" in figure.get_suptitle()


def test_a_training_that_diverged_is_left_out():
    figure = figures.four_panels(table({1: 10.0}, lost=[("radial_cycles_1", 1)]), title="t")
    values = curves(figure.axes[1])["1 cycles (f = 0.1)"].get_ydata()
    np.testing.assert_allclose(values, 10.0 + np.arange(EPOCHS))


def test_what_cannot_be_drawn_is_told_in_a_line():
    with pytest.raises(UserError, match="expected trainings on waves, got uniformly smoothed"):
        figures.four_panels(table({}), title="t")
    whole = table({1: 10.0})
    del whole["train_loss"], whole["cycles"]
    with pytest.raises(UserError, match="got one without cycles, train_loss"):
        figures.four_panels(whole, title="t")
    lost = [("radial_cycles_1", run) for run in range(2)]
    with pytest.raises(UserError, match="a training that did not diverge, got none of 2"):
        figures.four_panels(table({1: 10.0}, lost=lost), title="t")
