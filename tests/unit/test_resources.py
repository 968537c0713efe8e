"""Data files are found in a checkout and inside an installed wheel."""

from __future__ import annotations

import json

import pytest

from llmdeploy import resources


@pytest.fixture
def fresh():
    """The folder is looked for once in a process; these tests move it."""
    caches = (resources.root, resources.read_text)
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


def test_a_checkout_has_them_at_its_top():
    assert json.loads(resources.read_text("schemas/vendor/kubernetes.json"))["kinds"]


def test_a_wheel_has_them_inside_the_package(fresh, monkeypatch, tmp_path):
    (tmp_path / "_data/templates").mkdir(parents=True)
    (tmp_path / "_data/templates/a.j2").write_text("ä\n", encoding="utf-8")
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path)
    assert resources.read_text("templates/a.j2") == "ä\n"
