"""Fetch what stands in this repository but was written elsewhere, at the versions of vendored.json: `make vendor`.

To take another version, change it there, run this, and put the SHA-256 that it names into the file.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
REGISTRY = "https://registry.npmjs.org"


def main() -> None:
    """Fetch each package, check it, and write its files to their places."""
    for entry in json.loads((HERE / "vendored.json").read_text(encoding="utf-8")):
        name, version = entry["package"], entry["version"]
        with urllib.request.urlopen(f"{REGISTRY}/{name}/-/{name}-{version}.tgz") as answer:  # noqa: S310 - https
            content = answer.read()
        found = hashlib.sha256(content).hexdigest()
        if found != entry["sha256"]:
            sys.exit(f"{name} {version} has the SHA-256 {found}, vendored.json says {entry['sha256']}")
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for inside, place in entry["files"].items():
                file = archive.extractfile(f"package/{inside}")
                if file is None:
                    sys.exit(f"{name} {version} has no {inside}")
                path = HERE.parent / place
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(file.read())


main()
