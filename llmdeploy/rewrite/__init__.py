"""Changing an llm.yaml that somebody wrote: to another release of an engine, or to another engine."""
