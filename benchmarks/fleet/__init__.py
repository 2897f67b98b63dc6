"""Simulated fleets: what their ledgers take to be judged, and whether the labels that explain leaks are named."""
