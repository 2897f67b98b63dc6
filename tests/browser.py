"""Where the tests find a Chromium, and how one is installed where none is."""

import os
import shutil
import subprocess
import sys

__all__ = ["find_chromium"]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

HOW = (
    "The browser tests need Chromium, but none of "
    + ", ".join(NAMES)
    + " is on PATH. Install it (Debian and Ubuntu: sudo apt-get install chromium; Fedora: sudo dnf install chromium; "
    "macOS: brew install --cask chromium) or name one in the environment variable CHROMIUM."
)


def find_chromium() -> str | None:
    """Path of a Chromium on this machine, or None."""
    named = os.environ.get("CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


def install_chromium() -> None:
    """Install Debian's Chromium when this is root and apt is there."""
    if find_chromium():
        return
    if os.name != "posix" or os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit(HOW)
    print("Installing Debian's chromium for the browser tests ...", flush=True)
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    subprocess.run(["apt-get", "install", "-y", "-qq", "chromium"], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__" and "--install" in sys.argv:
    install_chromium()
