"""Draw ``docs/report.png`` again: run the demo, and take a picture of the upper part of its report.

::

    python docs/report_picture.py

It needs Chromium. Do this whenever reports look different.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SIZE_PX = (1000, 915)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def main() -> None:
    """Write the picture."""
    browser = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(f"The picture needs one of {', '.join(BROWSERS)} on PATH, or its path in CHROMIUM, but none is there.")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory() as folder:
        demo = [sys.executable, "-m", "memanalysis", "demo"]
        subprocess.run(demo, cwd=folder, env=environment, check=True)  # noqa: S603 - our own demo
        shot = [
            *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *("--blink-settings=preferredColorScheme=1", f"--window-size={SIZE_PX[0]},{SIZE_PX[1]}"),
            f"--screenshot={ROOT / 'docs' / 'report.png'}",
            (Path(folder) / "memanalysis-demo" / "report.html").as_uri(),
        ]
        subprocess.run(shot, check=True, capture_output=True)  # noqa: S603 - the browser found above


if __name__ == "__main__":
    main()
