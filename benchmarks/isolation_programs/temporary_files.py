"""Temporary files are deleted at the end."""
import os
import tempfile

with tempfile.NamedTemporaryFile() as file:
    name = file.name
    print(os.path.exists(name))
print(os.path.exists(name))
