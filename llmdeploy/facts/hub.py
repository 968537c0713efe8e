"""Asks the Hugging Face Hub for config.json and the headers of weights, and keeps them on this machine.

Only `--online` comes here. All is asked through huggingface_hub (the extra `hub`), so that the endpoint, proxies,
certificates and the stored token are those that the user has set up.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from typing import TYPE_CHECKING, Any

from llmdeploy.facts import hub_cache
from llmdeploy.facts.documents import as_mapping
from llmdeploy.facts.flaw import Damaged, Flaw
from llmdeploy.facts.places import Places
from llmdeploy.facts.safetensors import INDEX, chosen, named
from llmdeploy.facts.sources import Named
from llmdeploy.memory.model import Tensor

if TYPE_CHECKING:
    from huggingface_hub import HfApi

PATIENCE_S = 10.0
"""For the next bytes of an answer; huggingface_hub's own default."""
DEADLINE_S = 120.0
"""For the shards of one model: 200 of them, two answers each, eight at a time."""
_AT_ONCE = 8
_ENDPOINT = "https://huggingface.co"
_TRUE = ("1", "ON", "YES", "TRUE")
"""What huggingface_hub takes for a yes. Source: huggingface_hub 2.4, constants.py (ENV_VARS_TRUE_VALUES)."""

_LATER = "try again later; what was fetched is kept, so that one answer is enough"
_NETWORK = "see that this machine reaches the Hub (HF_ENDPOINT, HTTPS_PROXY), or leave `--online` out"


class Refused(Exception):  # noqa: N818  a reason, read as "refused: …"
    """Why the Hub gave nothing, and what to do. `for_all`: it would be the same for every other model."""

    def __init__(self, why: str, help: str, *, for_all: bool = False) -> None:
        super().__init__(why)
        self.why, self.help, self.for_all = why, help, for_all


class Hub:
    """`environ` has HF_ENDPOINT and HF_HUB_OFFLINE, and the variables that llm.yaml names for its tokens."""

    def __init__(self, environ: Mapping[str, str], places: Places) -> None:
        self._environ, self._places = environ, places
        self._asked: dict[str, Flaw | None] = {}
        self._closed: Refused | None = None

    def ask(self, sources: Iterable[Named]) -> dict[str, Flaw]:
        """Fetch what this machine does not know for good; return why it could not be had, by key. Never raises.

        One that compiles several times asks once.
        """
        keys = []
        for source in sources:
            if source.hub_id:
                keys.append(source.key)
                if source.key not in self._asked:
                    self._asked[source.key] = self._fetch(source, source.hub_id)
        return {key: flaw for key in keys if (flaw := self._asked[key]) is not None}

    def _fetch(self, source: Named, hub_id: str) -> Flaw | None:
        if hub_cache.is_final(self._places, hub_id, source.revision):
            return None
        try:
            if self._closed is not None:
                raise self._closed
            commit, config, tensors = _answers(self._environ, source, hub_id)
            hub_cache.keep(self._places, hub_id, source.revision, commit, config, tensors)
        except Refused as refused:
            self._closed = refused if refused.for_all else None
            return Flaw("LD529", f"the Hub tells nothing of `{hub_id}`: {refused.why}", refused.help)
        except OSError as error:
            why = f"what the Hub tells of `{hub_id}` cannot be kept: {error.strerror or type(error).__name__}"
            return Flaw("LD529", why, "set LLMDEPLOY_CACHE to a directory that can be written to")
        return None


def _answers(
    environ: Mapping[str, str], source: Named, hub_id: str
) -> tuple[str, dict[str, Any], dict[str, Tensor] | None]:
    """Return the commit, config.json and the tensors of a repository. Raises Refused."""
    if environ.get("HF_HUB_OFFLINE", "").upper() in _TRUE:
        raise Refused("HF_HUB_OFFLINE is set", "unset it, or leave `--online` out", for_all=True)
    try:
        from huggingface_hub import HfApi
    except ImportError:
        help = "`pip install 'huggingface_hub>=2.4,<3'` beside llmdeploy, or leave `--online` out"
        raise Refused("huggingface_hub is not installed", help, for_all=True) from None
    token = environ.get(source.variable or "") or None
    endpoint = environ.get("HF_ENDPOINT") or _ENDPOINT
    try:
        return _Repository(HfApi(endpoint, token), hub_id, source.revision).read()
    except Refused:
        raise
    except Damaged as damage:
        raise Refused(damage.message, "see that the repository is whole") from None
    # What a client and its libraries raise for the state of a network has no end: of an address, a proxy, a header.
    except Exception as error:
        raise _refusal(error, source) from None


class _Repository:
    def __init__(self, api: HfApi, hub_id: str, revision: str | None) -> None:
        self._api, self._id, self._revision = api, hub_id, revision

    def read(self) -> tuple[str, dict[str, Any], dict[str, Tensor] | None]:
        info = self._api.model_info(self._id, revision=self._revision, timeout=PATIENCE_S)
        files = {each.rfilename for each in info.siblings or ()}
        # All that follows is of one commit, whatever is pushed meanwhile.
        self._revision = info.sha
        config = self._mapping("config.json") if "config.json" in files else {}
        if "hf_quant_config.json" in files:
            exported = self._mapping("hf_quant_config.json").get("quantization")
            config |= {"hf_quant_config": exported} if isinstance(exported, dict) else {}
        top = [name for name in files if "/" not in name]
        weights = named(self._file(INDEX)) if INDEX in files else chosen(top)
        return info.sha or "", config, self._headers(weights) or None

    def _headers(self, files: list[str]) -> dict[str, Tensor]:
        end = time.monotonic() + DEADLINE_S
        pool = ThreadPoolExecutor(_AT_ONCE)
        try:
            tensors: dict[str, Tensor] = {}
            for found in pool.map(self._header, files, timeout=end - time.monotonic()):
                tensors |= found
            return tensors
        except TooLate:
            raise Refused(f"its {len(files)} shards took more than {DEADLINE_S:g} s", _LATER) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _header(self, name: str) -> dict[str, Tensor]:
        read = self._api.parse_safetensors_file_metadata(
            self._id, name, revision=self._revision, timeout=PATIENCE_S
        )
        return {key: Tensor(str(each.dtype), tuple(each.shape)) for key, each in read.tensors.items()}

    def _mapping(self, name: str) -> dict[str, Any]:
        return as_mapping(self._file(name).decode("utf-8", "replace"))

    def _file(self, name: str) -> bytes:
        from huggingface_hub import get_session, hf_hub_url, hf_raise_for_status
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

        url = hf_hub_url(self._id, name, revision=self._revision, endpoint=self._api.endpoint)
        headers = build_hf_headers(token=self._api.token)
        response = get_session().get(url, headers=headers, timeout=PATIENCE_S)
        hf_raise_for_status(response)
        return bytes(response.content)


def _refusal(error: Exception, source: Named) -> Refused:
    """Put what the client raised into our words; its own show the request."""
    from huggingface_hub import errors

    variable = source.variable or "HF_TOKEN"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.GatedRepoError):
        return Refused(
            "it is gated, and this token does not open it" if status == 403 else "it is gated",
            f"accept its licence at the Hub, and set {variable} to a token of that account",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return Refused(f"it has no revision `{source.revision}`", "name a branch, tag or commit that it has")
    if isinstance(error, errors.RepositoryNotFoundError) or status in (401, 403, 404):
        known = f"there is none for this token (status {status})"
        return Refused(known, f"see that the id is right, and set {variable} where it is private")
    if status == 429:
        return Refused(
            "it has had too many requests (status 429)",
            f"{_LATER}; a token in {variable} raises the limit",
            for_all=True,
        )
    if status is not None:
        return Refused(f"its answer is status {status}", _LATER, for_all=status >= 500)
    if isinstance(error, errors.SafetensorsParsingError):
        return Refused("a header of its weights cannot be read", "see that the repository is whole")
    if isinstance(error, errors.HFValidationError):
        return Refused("it is no id or revision of the Hub", "write `owner/name`")
    return Refused(f"it cannot be reached ({type(error).__name__})", _NETWORK, for_all=True)
