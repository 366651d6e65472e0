"""A stub over pyproject.toml: Beam's ``--setup_file`` wants a setup.py."""

from setuptools import setup

setup()
