"""What is done about it: memory freed, people alerted, and the detector that does both in one call."""
