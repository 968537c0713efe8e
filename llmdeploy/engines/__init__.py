"""Engines: how a model's settings become a command line, an environment and an image."""
