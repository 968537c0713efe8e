"""llm.yaml: its models, its short forms, and the way from text to a `Spec`."""
