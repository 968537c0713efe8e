"""Facts of a model in the words of its config.json, for one that cannot be read where llm.yaml is compiled."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from llmdeploy.spec.entry import Entry
from llmdeploy.spec.types import Count, Json, Text, Tokens

Size = Tokens
AnyNumber = Annotated[int, Field(ge=0, le=65536)]
Modules = Annotated[list[Text], Field(max_length=4096)]


class Copied(Entry):
    """A part of a config.json: null says that there is none, and of keys that are no fields `spec.pasted` knows more."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Json]

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        from llmdeploy.spec.pasted import schema_of  # who reads no schema does not pay for its tables

        made = handler.resolve_ref_schema(handler(core))
        beside = schema_of("" if cls is Architecture else "quantization_config")
        return {**made, **beside, "properties": {**made["properties"], **beside["properties"]}}


def _copied(part: str) -> Callable[[dict[str, Any]], None]:
    """Return what puts the keys of a part that is no model of its own into the schema."""

    def put(made: dict[str, Any]) -> None:
        from llmdeploy.spec.pasted import schema_of

        made.pop("propertyNames", None)
        made.update(schema_of(part))

    return put


class QuantizationConfig(Copied):
    """How the checkpoint is quantized."""

    quant_method: Text | None = Field(None, examples=["awq", "gptq", "fp8", "compressed-tensors"])
    quant_algo: Text | None = Field(None, description="ModelOpt's scheme.", examples=["NVFP4"])
    bits: Annotated[int, Field(ge=1, le=16)] | None = None
    group_size: Annotated[int, Field(ge=-1, le=65536)] | None = Field(
        None, description="Input features that share a scale; -1: all."
    )
    weight_block_size: Annotated[list[Count], Field(min_length=2, max_length=2)] | None = None
    config_groups: dict[Text, Json] | None = Field(None, description="compressed-tensors' schemes.")
    ignore: Modules | None = Field(None, description="Modules that are not quantized.")
    modules_to_not_convert: Modules | None = Field(None, description="The same, in other tools' words.")


class Architecture(Copied):
    """Keys of config.json, or all of it as it is; of a multi-modal model, those under its `text_config` here as well."""

    model_type: Text | None = Field(None, examples=["llama"])
    architectures: list[Text] | None = Field(None, min_length=1, examples=[["LlamaForCausalLM"]])
    torch_dtype: Literal["bfloat16", "float16", "float32"] | None = None
    num_hidden_layers: Count | None = None
    hidden_size: Size | None = None
    intermediate_size: Size | None = None
    moe_intermediate_size: Size | None = None
    num_attention_heads: Count | None = None
    num_key_value_heads: Count | None = None
    head_dim: Count | None = None
    layer_types: Annotated[list[Text], Field(min_length=1, max_length=1000)] | None = Field(
        None, description="Of each layer.", examples=[["sliding_attention", "full_attention"]]
    )
    sliding_window: Tokens | None = None
    num_kv_shared_layers: AnyNumber | None = Field(
        None, description="Last layers that read an earlier one's KV cache."
    )
    kv_lora_rank: Count | None = Field(None, description="Latent attention.")
    q_lora_rank: Count | None = None
    qk_nope_head_dim: Count | None = None
    qk_rope_head_dim: Count | None = None
    v_head_dim: Count | None = None
    num_experts: Count | None = None
    num_local_experts: Count | None = None
    n_routed_experts: Count | None = None
    num_experts_per_tok: Count | None = None
    n_shared_experts: AnyNumber | None = None
    shared_expert_intermediate_size: AnyNumber | None = None
    first_k_dense_replace: AnyNumber | None = Field(None, description="First layers that have no experts.")
    vocab_size: Size | None = None
    tie_word_embeddings: bool | None = None
    max_position_embeddings: Tokens | None = None
    text_config: dict[Text, Json] | None = Field(
        None,
        description="The same keys, of the language model of a multi-modal one.",
        json_schema_extra=_copied("text_config"),
    )
    vision_config: dict[Text, Json] | None = Field(
        None,
        description="The vision tower.",
        examples=[{"depth": 32, "hidden_size": 1280, "num_heads": 16}],
        json_schema_extra=_copied("vision_config"),
    )
    quantization_config: QuantizationConfig | None = None
