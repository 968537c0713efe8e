"""Where weights come from: the model's own, those of its adapters, and those of its drafter."""

from __future__ import annotations

from typing import Any

from effects.row import ONE_HOST, Row

ADAPTER = {"source": "org/sql", "rank": 16}
SPECULATIVE = {"method": "eagle3", "tokens": 4, "model": "org/draft"}
OTHER_SOURCES = {"path": "./other", "openllm": {"openllm": "qwen2.5-coder:7b"}}

ROWS: dict[str, Any] = {
    "models.chat.source.hub": "Qwen/Qwen2.5-Coder-7B-Instruct",
    "models.chat.source.path": Row(
        {"models.chat.source.path": "./b"},
        {
            "models.chat.source": {"path": "./a"},
            "models.chat.revision": None,
            "models.chat.token": None,
            "targets": ONE_HOST,
        },
    ),
    "models.chat.source.openllm": Row(
        {"models.chat.source": {"openllm": "qwen2.5-coder:3b"}},
        {
            "models.chat": {"source": {"openllm": "qwen2.5-coder:7b"}, "gpus": {"pool": "h100"}},
            "gateway.auth": None,
            "targets": ONE_HOST,
        },
    ),
    **dict.fromkeys(
        ("models.chat.adapters.sql.source.hub", "models.chat.adapters.sql.rank"),
        Row({"models.chat.adapters.sql": ADAPTER}),
    ),
    **{
        f"models.chat.adapters.sql.source.{kind}": Row(
            {"models.chat.adapters.sql": {**ADAPTER, "source": source}}, {"targets": ONE_HOST}
        )
        for kind, source in OTHER_SOURCES.items()
    },
    **{
        f"models.chat.speculative.model.{kind}": Row(
            {"models.chat.speculative.model": source},
            {"models.chat.speculative": SPECULATIVE, "targets": ONE_HOST},
        )
        for kind, source in (("hub", "org/other"), *OTHER_SOURCES.items())
    },
    "models.chat.speculative.method": Row(
        {"models.chat.speculative": {"method": "ngram", "tokens": 4}},
        {"models.chat.speculative": SPECULATIVE},
    ),
    "models.chat.speculative.tokens": Row(
        {"models.chat.speculative.tokens": 5}, {"models.chat.speculative": SPECULATIVE}
    ),
}
