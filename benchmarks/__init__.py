"""Measurements: every figure that the documents state can be measured again with ``make bench``."""
