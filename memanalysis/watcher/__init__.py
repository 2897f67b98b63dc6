"""How is a live process watched from inside? The loop that reads, writes, judges and acts, as a guest of its host."""
