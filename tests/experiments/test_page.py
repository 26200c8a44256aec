"""Trainings of a page that cannot go on, in process: what the others get."""

import gc
import shutil
import types

import numpy as np
import pytest
import tensorflow as tf

from spectral_tf import records, tasks
from spectral_tf.errors import UserError
from spectral_tf.experiments import evaluated
from spectral_tf.experiments.page import Page, every_training_diverged, publish
from spectral_tf.models.mlp import mlp
from spectral_tf.training import Adam, Ensemble, Measure


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.setattr("spectral_tf.experiments.page.save_every", lambda: 1e9)
    monkeypatch.setattr("spectral_tf.experiments.page.settings", dict)
    folder = records.RunFolder(tmp_path / "run", {"a": "--a=1"})
    found = Page("test", folder, tf.distribute.get_strategy(), seed=0)
    folder.start({})
    return found


def one_network():
    data = tasks.SumOfSines.with_random_phases([1], [1.0], 8, np.random.default_rng(0)).dataset()
    return Ensemble(
        lambda seed: mlp(width=4, depth=2, seed=seed), [0], [data], optimizer=Adam(1e-3)
    )


def refuses_from(step):
    def measure(loop):
        if loop.ensemble.step >= step:
            raise UserError("outputs", expected="ones that vary", got="one", hint="look at it")
        return np.zeros(1)

    return {"measure": Measure(measure, [0, 2, 4], ("run",))}


@pytest.mark.long
def test_a_training_that_cannot_be_measured_any_more_is_finished(page):
    found = page.unit("one", one_network, refuses_from(2))
    assert found.fact("diverged") == {"0": 2}
    assert found.fact("reason").startswith("outputs: expected ones that vary, got one")
    assert found["measure"].steps == [0]
    # It is read, not made again.
    again = page.unit("one", lambda: pytest.fail("trained again"), refuses_from(2))
    assert again.facts == found.facts
    error = every_training_diverged([found, found])
    assert "all 2 trainings diverged or could not be measured (outputs: expected" in str(error)


def test_a_page_of_before_goes_before_anything_new_is_written(tmp_path):
    folder = records.RunFolder(tmp_path, {})
    (tmp_path / "report.html").write_text("of other numbers")

    def killed(*_):
        raise KeyboardInterrupt

    report = types.SimpleNamespace(write=killed)
    with pytest.raises(KeyboardInterrupt):
        publish("test", folder, records.Found(), report)
    assert not (tmp_path / "report.html").exists()


def test_one_that_could_never_be_measured_is_a_mistake(page):
    with pytest.raises(UserError, match="expected ones that vary"):
        page.unit("one", one_network, refuses_from(0))
    assert page.done("one") is None


def test_cycles_are_collected_when_a_unit_is_trained(page, monkeypatch):
    """Networks of a sweep would pile up until Python looks by itself."""
    collected, collect = [], gc.collect
    monkeypatch.setattr(gc, "collect", lambda: collected.append(collect()))
    measures = {"loss": Measure(lambda loop: loop.losses, [0, 1], ("run",))}
    page.unit("one", one_network, measures)
    assert len(collected) == 1
    page.unit("one", one_network, measures)  # It is read.
    assert len(collected) == 1


def test_a_unit_with_other_facts_is_refused(page):
    measures = {"loss": Measure(lambda loop: loop.losses, [0, 1], ("run",))}
    page.unit("one", one_network, measures, facts={"paths": "a"})
    page.unit("one", one_network, measures, facts={"paths": "a"})
    with pytest.raises(UserError, match="measured with these paths"):
        page.unit("one", one_network, measures, facts={"paths": "b"})


def trained_by(losing):
    """A page whose trainings of these numbers diverge at step 7, and what it trains."""

    def train(name, make, measures, charts, keep):
        run = int(name.removeprefix("seed_"))
        facts = {"seconds": 2.0, "diverged": {"0": 7} if run in losing else {}}
        return records.Found(facts=facts), types.SimpleNamespace(model=f"network {run}")

    setting = types.SimpleNamespace(num_epochs=2, goal=lambda _: None)
    task = types.SimpleNamespace(epoch=3, setting=setting, trainer=lambda *_: None)
    page = types.SimpleNamespace(train=train, seed=0)
    return page, types.SimpleNamespace(model=None, task=task)


def test_networks_keep_the_numbers_of_their_seeds_when_one_diverged():
    found = evaluated.networks(*trained_by([1]), range(4))
    assert found.models == ["network 0", "network 2", "network 3"]
    assert found.facts() == {"runs": [0, 2, 3], "diverged": {"1": 7}}
    assert found.seconds == 8.0
    with pytest.raises(UserError, match="all 2 trainings diverged"):
        evaluated.networks(*trained_by([0, 1]), range(2))


def test_what_was_measured_once_is_read_by_its_names_of_now(page, tmp_path):
    file = tmp_path / "run" / "checkpoints" / "network_0" / "measured.npz"
    file.parent.mkdir(parents=True)
    np.savez(file, plain_share=np.ones(2), right=np.zeros(3), seconds=1.5)
    kept = page.once("network_0", lambda: pytest.fail("measured again"))
    assert set(kept) == {"dft_share", "endpoints_correct"}
    assert page.seconds == 1.5


LOSS = {"loss": Measure(lambda loop: loop.losses, [0, 1, 2], ("run",))}


def damage(file):
    file.write_bytes(file.read_bytes()[:-200])


def test_a_damaged_unit_is_found_again_from_its_state_and_leaves_the_others(page, tmp_path, caplog):
    founds = {name: page.unit(name, one_network, LOSS) for name in ("one", "two")}
    parts = tmp_path / "run" / "checkpoints"
    others = {file: file.read_bytes() for file in parts.glob("two/*")}
    damage(parts / "one" / "found.npz")
    assert page.done("one") is None
    assert "found.npz is damaged" in caplog.text
    network = one_network()  # It is built, but neither read nor trained.
    again = page.unit("one", lambda: network, LOSS)
    assert network.step == 0
    np.testing.assert_array_equal(again["loss"].values, founds["one"]["loss"].values)
    # With its states damaged, too, it starts over, alone.
    for file in parts.glob("one/*.npz"):
        damage(file)
    caplog.clear()
    again = page.unit("one", one_network, LOSS)
    assert "; starting over" in caplog.text
    np.testing.assert_array_equal(again["loss"].values, founds["one"]["loss"].values)
    assert {file: file.read_bytes() for file in parts.glob("two/*")} == others
    assert page.done("one") is not None


def test_what_was_found_of_another_unit_is_refused(page, tmp_path):
    page.unit("one", one_network, LOSS)
    parts = tmp_path / "run" / "checkpoints"
    shutil.copytree(parts / "one", parts / "two")
    with pytest.raises(UserError, match=r"\(part two\), got .*/two/found.npz of another") as error:
        page.unit("two", one_network, LOSS)
    assert "overwrite" not in str(error.value)


def test_what_was_measured_once_is_measured_again_where_its_file_is_damaged(page, tmp_path, caplog):
    rng = np.random.default_rng(0)
    first = page.once("paths", lambda: {"x": rng.normal(size=5)})
    kept = page.once("paths", lambda: pytest.fail("measured again"))
    np.testing.assert_array_equal(first["x"], kept["x"])
    parts = tmp_path / "run" / "checkpoints"
    damage(parts / "paths" / "measured.npz")
    assert page.once("paths", lambda: {"x": np.ones(2)})["x"].tolist() == [1.0, 1.0]
    assert "measured.npz is damaged" in caplog.text
    shutil.copytree(parts / "paths", parts / "others")
    with pytest.raises(UserError, match=r"\(part others\)"):
        page.once("others", lambda: {"x": np.ones(2)})
