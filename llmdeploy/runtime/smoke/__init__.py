"""The smoke test: what is asked of every model, and how the answers are told."""
