"""Measure the tests of a suite: what ``pytest_plugin`` does once it is asked to."""
