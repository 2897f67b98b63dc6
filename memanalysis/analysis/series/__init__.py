"""Series made fit to judge: cleaned, sorted, folded, resampled."""
