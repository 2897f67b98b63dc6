"""Text from files and programs, made fit to be stored and fit to be shown."""

__all__ = ["make_encodable", "make_printable"]

_HIDDEN_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode categories that change how other text is shown: controls, bidi overrides, surrogates, separators."""


def make_encodable(text: str) -> str:
    """Return text that UTF-8 can hold: lone surrogates, as in the names of undecodable files, become U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def make_printable(value: object) -> str:
    """Return text with control characters made visible, so that it can neither move a cursor nor turn a line."""
    text = str(value)
    if text.isascii() and text.isprintable():
        return text
    from unicodedata import category  # not loaded in watched processes

    return "".join(f"\\u{ord(char):04x}" if category(char) in _HIDDEN_CATEGORIES else char for char in text)
