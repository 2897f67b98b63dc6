# flags: -W error
"""Warnings are errors, and a file is left open."""
import warnings

try:
    warnings.warn("mine", UserWarning)
except UserWarning as error:
    print("raised", error)
print(warnings.filters[0])
