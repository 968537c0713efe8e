"""What an engine is. It lowers neutral settings to a `Launch`; it never learns which target will spell it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

from msgspec import Struct, field

from llmdeploy.catalog.versions import within
from llmdeploy.diagnostics import Diagnostic, Path
from llmdeploy.engines.limits import Limits
from llmdeploy.plan.model import (
    Api,
    Build,
    Download,
    Drain,
    Endpoint,
    Launch,
    Mount,
    Probes,
    Secret,
    Startup,
    User,
    Why,
)

if TYPE_CHECKING:
    from llmdeploy.memory.model import Calibration, Ledger, Question

WEIGHTS = "/models"
"""Where every engine finds the Hub cache (`HF_HOME`)."""


class Adapter(Struct, frozen=True):
    """A LoRA adapter: `path` is its directory in the container."""

    name: str
    path: str
    rank: int


class Speculation(Struct, frozen=True):
    """`method` is ngram, draft, eagle, eagle3, mtp or medusa; `model` a Hub id, or a path in the container."""

    method: str
    tokens: int
    model: str | None = None


class Repository(Struct, frozen=True):
    """A further repository of the Hub that is fetched before the engine starts.

    Into `directory`, a path in the container, or else into the Hub cache like the model itself.
    """

    hub: str
    directory: str | None = None


def argument(key: str) -> str:
    """Return the name that a key of `engine_args` gives, in one of its spellings: `--max_num_seqs` is `max-num-seqs`."""
    return key.lstrip("-").replace("_", "-")


class Settings(Struct, frozen=True):
    """One model with every default decided, in neutral words.

    `model` is what the engine loads: a Hub id, or the path in the container of a local model. `values` has
    the neutral settings that llm.yaml states or `resolve` derived, and no others:

    revision (str), served_names (tuple), tensor / pipeline / data (int, > 1 or stated), expert (True),
    dtype (not auto), quantization (the engine's own word, where it needs one), context, concurrency, batch_tokens (int),
    memory_fraction (float; static_fraction instead where the engine counts weights and KV cache alone), kv_dtype (not auto), prefix_caching (False only), structured_output (False only),
    grammar_backend (neither auto nor none), trust_remote_code (True only), chat_template (path in the container), kv_bytes (int; CPUs and shared cards), kv_tokens (int; shared cards),
    embed (True only), tools, reasoning (the parser's name), multimodal (items by kind), adapters (tuple of
    Adapter), speculative (Speculation).

    `origins` gives each one's path in llm.yaml. `vendor` is nvidia, amd or cpu; `arch` is an AMD target such
    as gfx942. Times are seconds, sizes GiB.
    """

    name: str
    origin: Path
    version: str
    source: str
    """"hub", "path" or "openllm"."""
    model: str
    values: Mapping[str, Any]
    origins: Mapping[str, Path]
    vendor: str
    arch: str | None
    gpu_count: int
    image: str | None
    engine_args: Mapping[str, Any]
    env: Mapping[str, str]
    ready_timeout_s: int
    """From the start of the engine until it is ready: stated, or the limit of `startup`."""
    token: Secret | None
    api_key: Secret | None
    openllm_tag: str | None = None
    further: tuple[Repository, ...] = ()
    startup: Startup = Startup()

    def origin_of(self, setting: str) -> Path:
        return self.origins.get(setting, self.origin)

    def gives(self, flag: str) -> bool:
        """Tell whether `engine_args` has this flag, given without dashes."""
        return any(argument(key) == flag for key in self.engine_args)


class Lowered(Struct, frozen=True):
    """What an engine makes of `Settings`. `launch` is meaningless where `diagnostics` has an error."""

    launch: Launch
    endpoints: tuple[Endpoint, ...]
    probes: Probes
    drain: Drain
    user: User | None
    mounts: tuple[Mount, ...]
    """WEIGHTS (read-only, for Hub sources) and CACHE (writable); `resolve` adds MODEL and FILE."""
    download: Download | None = None
    build: Build | None = None
    served_names: tuple[str, ...] | None = None
    """What clients must write in "model", where the engine does not take the names it is given."""
    adapter_names: Mapping[str, str] = field(default_factory=dict)
    """Adapter -> what clients write in "model" to have it."""
    api: Api = field(default_factory=Api)
    why: tuple[Why, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


class Capability(Struct, frozen=True):
    """A cell of `llmdeploy engines`: what the releases since <= version < until say to one question.

    `flags` (variables, where there is no flag) and `values` (of a registry, or of a flag with choices) are
    what the catalog of flags proves it with.
    """

    name: str
    value: str
    source: str
    since: str | None = None
    until: str | None = None
    flags: tuple[str, ...] = ()
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def holds_for(self, version: str) -> bool:
        return within(version, self.since, self.until)

    @property
    def has(self) -> bool:
        """Whether it is more than a "no" with its reason."""
        return re.match(r"no\b", self.value) is None


class Phase(Struct, frozen=True):
    """Seconds of a start that do not go into reading weights; all rows that hold are added up.

    `start` is the engine itself (imports, processes, CUDA, NCCL), with `each_gpu` for every GPU after the first.
    A row holds on `vendors`, without the arguments `unless`, and, where `adapters` is true, with LoRA alone.
    `label` is how it is known: M measured, A taken from a report, J judged.
    """

    part: Literal["start", "compile", "capture"]
    seconds: int
    label: Literal["M", "A", "J"]
    source: str
    each_gpu: int = 0
    vendors: tuple[str, ...] = ("nvidia", "amd", "cpu")
    unless: tuple[str, ...] = ()
    adapters: bool = False


class Card(Struct, frozen=True):
    """An engine's name for people, and how it is kept."""

    title: str
    status: str
    """One word: maintained, archived, dormant."""


class Engine(Protocol):
    name: str
    title: str
    """Its name as people write it."""
    versions: tuple[str, ...]
    """Verified releases, the default first."""

    def releases(self) -> tuple[str, ...]:
        """Return every release whose flags are known, oldest first: the verified ones, and perhaps more."""
        ...

    def judged_by(self, version: str) -> str | None:
        """Return the one of these that has the flags of a version; None where it has none."""
        ...

    def limits(self, version: str) -> Limits:
        """Return what this version can run; the defaults of `Limits` where that is not known."""
        ...

    def takes(self, setting: str, version: str, vendor: str) -> bool:
        """Tell whether a neutral setting has a flag in this version, on this vendor's hardware."""
        ...

    def lower(self, settings: Settings) -> Lowered:
        """Turn settings into a launch. Pure; whatever cannot be said comes back as diagnostics."""
        ...

    def card(self) -> Card:
        """Introduce the engine."""
        ...

    def capabilities(self) -> tuple[Capability, ...]:
        """Return what each release can do: one cell, or one for each span of releases, to a question."""
        ...

    def memory(self, question: Question) -> Ledger:
        """Return what the engine's own equation makes of a card's memory. Pure.

        What it does not know is UNKNOWN, with the reason. An engine of another package may lack this method.
        """
        ...

    def calibration(self, version: str | None) -> Calibration:
        """Return what a start of this version says of other plans; the newest where it is not known.

        An engine of another package may lack this method.
        """
        ...

    def phases(self) -> tuple[Phase, ...]:
        """Return what a start takes beside reading the weights. An engine of another package may lack this method."""
        ...


def calibration_of(engine: Engine, version: str | None) -> Calibration:
    """Return what a start of an engine says of other plans, also where the engine does not say so itself."""
    from llmdeploy.memory.model import Calibration

    return engine.calibration(version) if hasattr(engine, "calibration") else Calibration()
