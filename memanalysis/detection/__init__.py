"""Does a process leak while it runs: the engine of `memanalysis.analysis`, fed live with snapshots."""
