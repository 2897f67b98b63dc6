"""The verbs that join ledger, policy and analysis."""
