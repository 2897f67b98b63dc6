"""What a leak is: where it comes from, which line carries or retains it, and whether it was seen before."""
