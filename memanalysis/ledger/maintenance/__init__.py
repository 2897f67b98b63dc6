"""Seal, merge, drop and upload what processes have written."""
