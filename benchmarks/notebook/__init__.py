"""What ``%%memwatch`` says of ordinary cells, and what it costs, in real kernels."""
