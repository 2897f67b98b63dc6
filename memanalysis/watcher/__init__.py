"""Watch a live process from inside: the loop that reads, writes, judges and acts, and never disturbs the program."""
