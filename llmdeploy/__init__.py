"""A declarative deployment compiler for open LLMs."""

__version__ = "0.1.0"
