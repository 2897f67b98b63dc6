"""Random damage to ledgers and policies, and whether only documented results come out."""
