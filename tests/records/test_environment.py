import getpass
import json
import platform

import tensorflow as tf

from spectral_tf.records.environment import environment


def test_versions_devices_and_nothing_about_the_machine_or_its_user():
    content = environment(tf.distribute.get_strategy(), seed=7)
    text = json.dumps(content)
    assert content["versions"]["tensorflow"] == tf.__version__
    assert content["num_replicas"] == 1
    assert content["seed"] == 7
    assert content["devices"]
    assert platform.node() not in text
    assert f"/{getpass.getuser()}" not in text
