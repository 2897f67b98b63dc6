"""Ends with a group of errors."""
raise ExceptionGroup("several", [ValueError(1), ExceptionGroup("inner", [TypeError(2)])])
