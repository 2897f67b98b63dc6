"""What does a process use right now? Each source is read once, as it is: unknown is None, never zero."""
