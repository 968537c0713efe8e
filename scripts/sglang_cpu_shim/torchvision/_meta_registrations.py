"""Test-only: takes the place of a module of torchvision, which SGLang imports for the models that see.

The original declares the shapes of torchvision's compiled operators, and fails on import where they are not
loaded: published builds have none for a PyTorch without CUDA. No test calls one, so none is declared.
"""
