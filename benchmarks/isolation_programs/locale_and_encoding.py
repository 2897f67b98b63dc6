"""Locale and encodings."""
import locale
import sys

print(locale.setlocale(locale.LC_ALL), sys.stdout.encoding, sys.getfilesystemencoding(), sys.flags.utf8_mode)
print("ä€\N{SNOWMAN}".encode())
