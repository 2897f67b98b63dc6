"""What of the samples is judged."""

import numpy as np
import pandas as pd
import pytest

from memanalysis.analysis.run_verdicts import assess_samples
from memanalysis.units import MIB


@pytest.mark.slow
def test_the_sample_of_the_end_is_not_judged():
    """The main function has returned, and freed the list that grew by a megabyte a second."""
    seconds = np.arange(42.0)
    samples = pd.DataFrame({"service": "job", "run_id": "r", "elapsed_s": seconds, "rss_bytes": (50 + seconds) * MIB})
    samples["label"] = None
    samples.loc[41, ["rss_bytes", "label"]] = [30 * MIB, "end"]

    verdict = assess_samples(samples).iloc[0]
    assert verdict["is_leak"]
    assert verdict["latest_bytes"] == 90 * MIB
