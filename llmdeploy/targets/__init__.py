"""Targets: how a plan is spelled for the tool that will run it."""
