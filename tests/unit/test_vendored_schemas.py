"""Vendored schemas are what PROVENANCE.md says they are, and small."""

from __future__ import annotations

import hashlib
import json

import pytest
from jsonschema import Draft202012Validator

from llmdeploy import resources

VENDOR = resources.root() / "schemas/vendor"
FILES = sorted(VENDOR.glob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_is_the_file_that_provenance_tells_of(file):
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    rows = (VENDOR / "PROVENANCE.md").read_text().splitlines()
    assert any(f"`{file.name}`" in row and digest in row for row in rows)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_is_a_json_schema(file):
    schema = json.loads(file.read_text())
    for part in (schema, *schema.get("kinds", {}).values()):
        Draft202012Validator.check_schema(part)


def test_they_stay_small():
    assert sum(file.stat().st_size for file in FILES) < 250_000
