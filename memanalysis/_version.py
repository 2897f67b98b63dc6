"""The version of the package, for whoever needs it without the package's verbs."""

__version__ = "0.1.0"
