"""What the allocation sampler costs, how true it is, how long a reading stops the program."""
