"""Brings a plan to where it runs and takes it away again, with the tools that its users have there."""
