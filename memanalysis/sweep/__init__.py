"""Find the release of a package that began to leak: ``memanalysis sweep``."""
