"""Figures of the notebook, in real kernels."""
