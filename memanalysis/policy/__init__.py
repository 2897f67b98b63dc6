"""What is allowed: budgets, thresholds and actions, read from a policy file and checked against a reading."""
