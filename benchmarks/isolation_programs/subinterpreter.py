"""Code in another interpreter of the process."""
import sys

name = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
interpreters = __import__(name)
other = interpreters.create()
interpreters.run_string(other, "import sys, json; print(json.dumps([1]), 'site' in sys.modules, flush=True)")
interpreters.destroy(other)
print("back")
