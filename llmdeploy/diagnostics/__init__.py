"""What is wrong with an llm.yaml, and what to write instead."""

from llmdeploy.diagnostics.model import Diagnostic, Note, Path, Place, Severity

__all__ = ["Diagnostic", "Note", "Path", "Place", "Severity"]
