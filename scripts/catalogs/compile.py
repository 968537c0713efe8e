"""Compile the reviewed sources beside this file, and the engines' tables, to the JSON that llmdeploy reads.

    python scripts/catalogs/compile.py            # writes
    python scripts/catalogs/compile.py --check    # exit status 1 where a file would change

One row stands on one line, so that a review sees which rows changed. bentos.json has its own script,
bentos.py, because its source is a git checkout of somebody else.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from msgspec.structs import asdict

from llmdeploy.facts.config import facts
from llmdeploy.memory.exclusions import condense

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKAGE = ROOT / "llmdeploy"
CATALOG = PACKAGE / "catalog"
SCHEMAS = ROOT / "schemas" / "catalog"

Row = dict[str, Any]


def outputs() -> dict[str, str]:
    """Every file that this script owns, by name, as it should be now."""
    return {
        "catalog/gpus.json": as_list(checked("gpus", gpus())),
        "catalog/models.json": as_list(checked("models", models())),
        "catalog/configs.json": as_list(checked("configs", configs())),
        "catalog/gated.json": as_list(checked("gated", read("gated.yaml"))),
        "catalog/meanings.json": as_list(checked("meanings", meanings())),
        "catalog/flag_changes.json": as_list(checked("flag_changes", flag_changes())),
        "catalog/flag_bounds.json": as_list(checked("flag_bounds", flag_bounds())),
        "catalog/telling_defaults.json": as_list(checked("telling_defaults", telling_defaults())),
        "catalog/behaviours.json": as_list(checked("behaviours", behaviours())),
        "catalog/framework.json": as_list(checked("framework", framework())),
        "catalog/quantization.json": as_list(checked("quantization", by_engine("quantization.yaml"))),
        "catalog/quantization_configs.json": as_list(
            checked("quantization_configs", by_engine("quantization_configs.yaml"))
        ),
        "catalog/course_table.json": as_list(checked("course_table", course_table())),
        "catalog/tensor_types.json": as_list(checked("tensor_types", tensor_types())),
        **{
            path.with_suffix(".json").relative_to(PACKAGE).as_posix(): one_line(path)
            for path in (
                *PACKAGE.glob("engines/*/engine.yaml"),
                *PACKAGE.glob("engines/*/memory.yaml"),
                *PACKAGE.glob("engines/*/options.yaml"),
                PACKAGE / "engines/common.yaml",
            )
        },
    }


def one_line(path: Path) -> str:
    """An engine's table as it is read: every command reads some, and YAML takes 25 times as long."""
    return json.dumps(yaml.safe_load(path.read_text()), ensure_ascii=False, separators=(",", ":")) + "\n"


def gpus() -> list[Row]:
    source = read("gpus.yaml")
    empty: Row = {"capability": None, "arch": None, "free_gib": None, "node_product": [], "smi_names": []}

    def cite(text: str) -> str:
        return re.sub(r"@([a-z]+)", lambda match: source["sources"][match[1]], text)

    rows = [empty | source["defaults"][row["vendor"]] | row for row in source["gpus"]]
    return [row | {"source": cite(row["source"])} for row in rows]


def models() -> list[Row]:
    """What llmdeploy itself would read in each config.json, for checks; what is not stated is left out."""
    return by_likeness({name: model(name, config) for name, config in checkpoints().items()})


def model(name: str, config: Row) -> Row:
    exported = config.get("hf_quant_config")
    known = facts({"quantization_config": None, **config}, name, config["source"], exported)
    assert known is not None, name
    stated = {key: value for key, value in asdict(known).items() if value not in (None, ())}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in stated.items()}


def configs() -> list[Row]:
    """What the ledger of memory reads of each config.json, with long lists of modules as patterns."""
    whole = {name: condensed(config) for name, config in checkpoints().items()}
    return [
        {key: row.pop(key) for key in ("id", "source", "like") if key in row} | {"config": row}
        for row in by_likeness(whole)
    ]


@cache
def checkpoints() -> dict[str, Row]:
    """What is known of each config.json, and its `source`, by id; where it is derived, `like` is what it is like."""
    lines = (HERE / "model_configs.jsonl").read_text().splitlines()
    known = {row.pop("model"): row for row in map(json.loads, lines)}
    own = read("models.yaml")
    for row in own["corrected"]:
        stated = known[row["id"]]
        stated["max_position_embeddings"] = row["max_position_embeddings"]
        stated["source"] += f"; max_position_embeddings: {row['source']}"
    known |= {row.pop("id"): row for row in own["added"]}
    for row in own["completed"]:
        for name in row["ids"]:
            known[name] |= row["config"]
            known[name]["source"] += f"; {', '.join(row['config'])}: {row['source']}"
    for row in read("derived.yaml"):
        for base in row["of"]:
            name = row["id"].format(of=base, name=base.partition("/")[2])
            assert name not in known, f"{name} is there twice"
            known[name] = known[base] | row.get("config", {}) | {"source": row["source"], "like": base}
    return {name: {"id": name, **known[name]} for name in sorted(known, key=str.lower)}


def by_likeness(rows: dict[str, Row]) -> list[Row]:
    """Leave of a row that is like another only what differs: most quantized copies differ in little."""
    bases = {name: config["like"] for name, config in checkpoints().items() if "like" in config}
    return [
        differing(row, rows[bases[name]], bases[name]) if name in bases else row for name, row in rows.items()
    ]


def differing(row: Row, base: Row, name: str) -> Row:
    assert base.keys() - row.keys() <= {"like"}, f"{row['id']} lacks what {name} states"
    return {"id": row["id"], "source": row["source"], "like": name} | {
        key: value for key, value in row.items() if key not in base or base[key] != value
    }


def condensed(config: Row) -> Row:
    kept = {key: value for key, value in config.items() if value is not None}
    if kept.get("model_type") == "mistral":
        # Rows leave null out, and what a config.json does not state of this would be its class's own 4096.
        kept.setdefault("sliding_window", None)
    layers = config.get("num_hidden_layers")
    for key in ("quantization_config", "hf_quant_config"):
        if key in kept:
            kept[key] = _patterns(kept[key], layers)
    return kept


def _patterns(value: Any, layers: int | None) -> Any:
    """Condense every list of modules in a description of a quantization, and the keys of `quantized_layers`."""
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return condense(value, layers)
    if isinstance(value, dict):
        if value.get("n_exclude", 0) > len(value.get("exclude_modules") or ()):
            value = {**value, "exclude_modules": [*value["exclude_modules"], "..."]}
        return {
            key: _by_module(one, layers) if key == "quantized_layers" else _patterns(one, layers)
            for key, one in value.items()
            if not key.startswith("...")
        }
    return value


def _by_module(rows: Row, layers: int | None) -> Row:
    cut = ["..."] if "..." in rows else []
    alike: dict[str, list[str]] = {}
    for name, row in rows.items():
        if name != "...":
            alike.setdefault(json.dumps(row), []).append(name)
    return {
        name: json.loads(row) for row, names in alike.items() for name in condense([*names, *cut], layers)
    }


def by_engine(name: str) -> list[Row]:
    """The rows of every engine, with the texts of their sources."""
    source = read(name)
    return [
        {"engine": engine, **row, "source": source["sources"][row["source"]]}
        for engine, rows in source["engines"].items()
        for row in rows
    ]


def meanings() -> list[Row]:
    """One form for every spelling, and a source on every row: those of the engines that it names."""
    file = read("meanings.yaml")
    sources = file["sources"]
    rows = []
    for row in file["meanings"]:
        engines = {engine: row[engine] for engine in sources if engine in row}
        spelled = {e: spelling(words) for e, words in engines.items() if "none" not in words}
        lacking = {engine: only(words) for engine, words in engines.items() if engine not in spelled}
        source = row.get("source") or "; ".join(sources[engine] for engine in engines)
        differs = row.get("differs", {})
        differs = differs if isinstance(differs, dict) else {"any": differs}
        fixed = {"name": row["name"], "meaning": row["meaning"], "differs": differs}
        rows.append({**fixed, "spelled": spelled, "lacking": lacking, "source": source})
    return rows


def telling_defaults() -> list[Row]:
    file = read("telling_defaults.yaml")
    return [
        {"engine": engine, "flag": flag, "field": None, **row, "source": file["source"]}
        for engine, flags in file["flags"].items()
        for flag, row in flags.items()
    ]


def behaviours() -> list[Row]:
    file = read("behaviours.yaml")
    rows = []
    for row in file["behaviours"]:
        source = "; ".join(file["sources"][name] for name in row.pop("sources"))
        rows.append({"field": None, **row, "source": source})
    return rows


def framework() -> list[Row]:
    file = read("framework.yaml")
    rows = []
    for row in file["questions"]:
        source = "; ".join(file["sources"][name] for name in row.pop("sources"))
        rows.append({**row, "source": source})
    return rows


def spelling(written: str | Row) -> Row:
    if isinstance(written, str):
        return {"name": written}
    name = written.get("flag") or written["env"]
    return {"name": name, **{key: value for key, value in written.items() if key not in ("flag", "env")}}


def only(words: Row) -> str:
    """Return why there is none; a comma without quotes would have made two keys of it."""
    (reason,) = words.values()
    return str(reason)


def flag_changes() -> list[Row]:
    source = read("flag_changes.yaml")
    sources = source.pop("sources")
    rows = [{"engine": engine, **row} for engine, rows in source.items() for row in rows]
    for row in rows:
        row["name"] = row.pop("flag", None) or row.pop("env")
        row["source"] = sources.get(row["source"], row["source"]).format_map(row)
    return rows


def flag_bounds() -> list[Row]:
    file = read("flag_bounds.yaml")
    return [
        {
            "engine": engine,
            "name": row.pop("flag", None) or row.pop("env"),
            **row,
            "source": file["sources"][row["source"]],
        }
        for engine, rows in file["bounds"].items()
        for row in rows
    ]


def course_table() -> list[Row]:
    source = read("course_table.yaml")
    rows = []
    for row in source["cells"]:
        since = {key: str(value) for key, value in row.pop("since", {}).items()}
        rows.append({**row, **since, "source": source["sources"][row["source"]]})
    return rows


def tensor_types() -> list[Row]:
    file = read("tensor_types.yaml")
    return [{**row, "source": file["sources"][row["source"]]} for row in file["types"]]


def read(name: str) -> Any:
    return yaml.safe_load((HERE / name).read_text())


def checked(name: str, rows: list[Row]) -> list[Row]:
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    jsonschema.validate(rows, schema, cls=jsonschema.Draft202012Validator)
    return rows


def as_list(rows: Iterable[Row]) -> str:
    return (
        "[\n"
        + ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
        + "\n]\n"
    )


def main(argv: list[str]) -> int:
    stale = [n for n, text in outputs().items() if not (p := PACKAGE / n).exists() or p.read_text() != text]
    if "--check" in argv:
        print(*(f"{name} is stale: run {Path(__file__).name}" for name in stale), sep="\n", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        (PACKAGE / name).write_text(outputs()[name])
        print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
