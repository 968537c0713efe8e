"""The llm.yaml that `llmdeploy init` writes: pools of this machine, a model that fits each, and comments."""
