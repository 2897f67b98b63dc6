# flags: -W always
"""Warnings are shown each time."""
import warnings

for _ in range(2):
    warnings.warn("mine", stacklevel=1)
print(len(warnings.filters))
