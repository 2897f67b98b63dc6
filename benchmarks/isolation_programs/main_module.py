"""The main module, its arguments and its path."""
import sys

print(__name__, sys.argv, sys.modules["__main__"].__file__ == __file__)
print([folder for folder in sys.path if "boot" in folder], sys.path[0] == __file__.rpartition("/")[0])
