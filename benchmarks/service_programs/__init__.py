"""Real services that `benchmarks.services` records in fast motion; their clocks run faster than the machine's."""
