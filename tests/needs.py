"""What a test needs of this Python and may be without."""

import pytest

from memanalysis.capture.sampler import why_unavailable

__all__ = ["needs_sampler"]

needs_sampler = pytest.mark.skipif(why_unavailable() is not None, reason=f"no sampler here: {why_unavailable()}")
"""For exact bytes by line: without the compiled sampler they come from the resident size."""
