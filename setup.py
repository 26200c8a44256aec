"""The packages of the wheel; all else is in setup.cfg, which cannot add one to those it finds."""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["spectral_tf*"]),
        "spectral_tf.launchers",
        "spectral_tf.launchers.peers",
    ],
    package_dir={"spectral_tf.launchers": "launchers"},
)
