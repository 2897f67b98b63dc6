"""How often is the verdict right: on recorded series, on real leaks of real packages, and on series of known truth."""
