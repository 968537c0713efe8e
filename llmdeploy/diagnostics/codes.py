"""The table of diagnostic codes. A code is never given to another meaning; `explain/CODE.md` is its page."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Code(Struct, frozen=True):
    severity: Severity
    title: str


def _table(severity: Severity, rows: dict[str, str]) -> dict[str, Code]:
    return {code: Code(severity, title) for code, title in rows.items()}


CODES: dict[str, Code] = {
    # LD0: the file
    **_table(
        Severity.ERROR,
        {
            "LD001": "the file cannot be read",
            "LD002": "the file is not YAML",
            "LD003": "a key is given twice",
            "LD004": "the file is too large or nests too deep",
            "LD005": "a YAML feature that llm.yaml does not use",
            "LD006": "the file is not a mapping",
            # LD1: shape
            "LD101": "an unknown key",
            "LD102": "a required key is missing",
            "LD103": "a value of the wrong type",
            "LD104": "a value that is not allowed here",
            "LD105": "a malformed value",
            "LD106": "keys that exclude or need each other",
            "LD107": "a version of llm.yaml that this release does not read",
            "LD110": "not yet supported",
            # LD2: names and references
            "LD201": "a name that cannot be used",
            "LD202": "an unknown pool of GPUs",
            "LD203": "an unknown secret",
            "LD204": "a route to an unknown model",
            "LD205": "a pool must be named",
            "LD206": "two routes with one path",
            "LD207": "a path that is reserved",
            "LD208": "an unknown GPU",
            "LD209": "an unknown engine or engine version",
            "LD210": "a file that is not there",
            "LD211": "an unknown OpenLLM model tag",
            # LD3: fit
            "LD301": "the parallel sizes do not multiply to the GPUs",
            "LD302": "the model does not divide over the tensor-parallel GPUs",
            "LD303": "a pool has too few GPUs",
            "LD304": "the model does not fit the memory of its GPUs",
            "LD305": "the context is longer than the model's own maximum",
            "LD306": "a setting that the compiler owns",
            "LD307": "the engine lacks this setting",
            "LD308": "the engine has no image for this accelerator",
            "LD309": "a value that the engine does not take",
            "LD310": "a credential written into llm.yaml",
            "LD311": "device ids that do not fit the pool",
            "LD312": "remote code at a moving revision",
            "LD313": "an engine argument that cannot be passed",
            "LD315": "a source that the engine cannot serve",
            "LD316": "a flag that the engine does not have",
            "LD317": "a flag or value that the engine no longer has",
            "LD318": "a flag that a later version of the engine has",
            "LD319": "a value that the flag does not take",
            "LD320": "an abbreviated flag",
            "LD324": "no engine that can do all that is asked",
            "LD330": "the checkpoint is quantized otherwise",
            "LD331": "a quantization that needs such a checkpoint",
            "LD332": "a quantization that the engine lacks",
            "LD333": "a quantization that the accelerator cannot run",
            "LD334": "a type of activations that cannot be",
            "LD335": "the engine's image has no code for this GPU",
            "LD336": "a shard would cut a group of quantized weights",
            "LD337": "experts that do not spread",
            "LD338": "more pipeline stages than layers",
            "LD339": "the vision encoder does not divide over the tensor-parallel GPUs",
            "LD340": "the engine's own parser refuses the command line",
            "LD341": "the engine's own configuration check refuses the model",
            "LD350": "an adapter of another rank",
            "LD351": "key/value heads that do not divide the attention heads",
            "LD352": "a config.json that the engine refuses",
            "LD353": "drafts by layers that the model does not have",
            "LD354": "an architecture that contradicts itself",
            "LD357": "models that take more of their cards than there is",
            "LD358": "a share of a card that cannot be kept",
            "LD359": "an `auto` that cannot be solved for",
            "LD546": "weights that are not those of their config.json",
            "LD547": "a drafter of another vocabulary",
            "LD549": "a KV cache that nothing reads here",
            # LD4: what a target cannot express
            "LD401": "the target cannot do this",
            "LD402": "a secret without a reference for the target",
            "LD403": "a volume that not every replica can mount",
            "LD404": "the target's own schema refuses the result",
            "LD405": "a patch that changes nothing",
            # LD9: run time
            "LD901": "a generated file was edited by hand",
            "LD902": "the output cannot be written",
        },
    ),
    # LD5: hygiene
    **_table(
        Severity.WARNING,
        {
            "LD342": "an engine that could not be asked",
            "LD355": "weights that are damaged or not all there",
            "LD356": "a directory of several GGUF files",
            "LD360": "weights in a format that the engine does not load",
            "LD501": "a model that no route reaches",
            "LD502": "one served name for two models",
            "LD503": "a gated model without a token",
            "LD504": "an image tag that moves",
            "LD505": "an engine that is no longer maintained",
            "LD506": "the ingress controller is retired",
            "LD509": "the engine writes its API key to its log",
            "LD510": "something that nothing uses",
            "LD511": "a waiver that waives nothing",
            "LD512": "a model directory that is not on this machine",
            "LD513": "a route that repeats what the engine serves",
            "LD514": "the gateway listens on every interface without a key",
            "LD515": "a flag or value that the engine is about to drop",
            "LD516": "a variable that the engine does not read",
            "LD517": "more requests than the KV cache holds at full length",
            "LD518": "needs where nothing is to be chosen",
            "LD519": "a model that fits by less than the estimate's error",
            "LD523": "an architecture that config.json contradicts",
            "LD526": "a configuration beside the weights that cannot be read",
            "LD527": "a quantization of which nothing is known",
            "LD528": "a quantization that the name of the repository contradicts",
            "LD529": "a Hub that tells nothing",
            "LD531": "a calibration file that cannot be used",
            "LD533": "a memory that is not of the GPU's type",
            "LD535": "a share of a card that nobody else uses",
            "LD536": "a start that is given less time than it is expected to take",
            "LD545": "a model directory without weights",
            "LD552": "more of a machine's memory than its system leaves",
            "LD556": "an architecture that lacks what its class is made of",
            "LD557": "an architecture that the catalog contradicts",
            "LD558": "a model that starts again with less of its card",
        },
    ),
    **_table(
        Severity.NOTE,
        {
            "LD321": "what the catalog of flags cannot judge",
            "LD407": "a setting that one target leaves to its surroundings",
            "LD507": "served names that the engine does not check",
            "LD508": "a memory fraction that has no counterpart",
            "LD520": "a quantization that saves memory and no time",
            "LD521": "a quantization of the experts only",
            "LD522": "pipeline stages of unequal size",
            "LD524": "what an engine itself was asked, and what is open",
            "LD525": "a setting that the engine does not need",
            "LD532": "a correction that no model uses",
            "LD555": "keys of a config.json that nothing rests on",
        },
    ),
}
