"""Pages as a browser has built them."""

import shutil
import subprocess
from pathlib import Path

import pytest


def in_browser(path: Path) -> str:
    """The page as Chromium has built it from the file, with all network access sent to nowhere."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium is installed")
    words = "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --virtual-time-budget=3000".split()
    words += ["--host-resolver-rules=MAP * 127.0.0.1:9", f"--user-data-dir={path.parent / 'profile'}"]
    done = subprocess.run([browser, *words, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    return done.stdout


PROBE = """<script>document.body.setAttribute("data-shown",
[...document.images].map(image => image.id + (image.naturalWidth > 100)).join(" ") + " " + document.title)</script>"""
