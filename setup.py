"""What `pyproject.toml` cannot say: compiled modules that may be missing, and a file from outside of the package.

They are built where there is a C compiler. Where there is none, where one fails to compile (``optional``), or where
``MEMANALYSIS_NO_EXTENSION`` is set, memanalysis installs without: it traces in windows, and notes no signal that ends a
program.
"""

import os
import platform
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
REFUSED = os.environ.get("MEMANALYSIS_NO_EXTENSION", "0") not in ("", "0")
POLICY = Path("config") / "memory_policy.yaml"

THREAD_LOCAL = ["-ftls-model=initial-exec"] if platform.libc_ver()[0] == "glibc" else []
"""Makes a thread's counter as cheap as a global one; glibc reserves memory for it in libraries that are loaded late."""

SAMPLER = Extension(
    "memanalysis.capture._sampler",
    sources=["memanalysis/capture/_sampler.c"],
    depends=["memanalysis/capture/_ceiling.h"],
    extra_compile_args=["-std=gnu11", "-O2", *THREAD_LOCAL],
    libraries=["m"],
    optional=True,
)

FATAL_SIGNALS = Extension(
    "memanalysis.capture._fatal_signals",
    sources=["memanalysis/capture/_fatal_signals.c"],
    extra_compile_args=["-std=gnu11", "-O2"],
    optional=True,
)


class BuildWithPolicy(build_py):
    """Copies the policy that a checkout has in ``config/`` beside the module that reads it."""

    def run(self) -> None:
        """Build the package, and add the file to it; an editable install finds it where it is."""
        super().run()
        if not self.editable_mode:
            self.copy_file(str(ROOT / POLICY), self._target())

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Name the files that were built."""
        outputs = list(super().get_outputs(include_bytecode))
        return outputs if self.editable_mode else [*outputs, self._target()]

    def _target(self) -> str:
        return str(Path(self.build_lib) / "memanalysis" / "policy" / POLICY.name)


setup(
    ext_modules=[] if REFUSED or sys.platform == "win32" else [SAMPLER, FATAL_SIGNALS],
    cmdclass={"build_py": BuildWithPolicy},
)
