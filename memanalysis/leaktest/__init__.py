"""Test a call for leaks: `find_leak`."""
