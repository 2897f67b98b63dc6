"""What is done about it: memory freed, people told, and the detector that does both in one call."""
