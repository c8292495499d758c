"""A program: `pip download` of a source distribution that runs none of its code. Arguments: NAME VERSION, then pip's.

pip asks each source distribution for its metadata, which means running its build (`setup.py`), even with `--no-deps`
(https://github.com/pypa/pip/issues/1884). Here pip is told name and version, which is all it needs; should it start
Python in spite of that, it is stopped.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path
from typing import Any


def main(name: str, version: str, arguments: list[str]) -> None:
    """Run pip with the arguments."""
    from pip._vendor.pyproject_hooks import BuildBackendHookCaller  # where this runs as a program

    def metadata(self: object, metadata_directory: str, *_: object, **__: object) -> str:  # noqa: ARG001 - a method's signature
        folder = Path(metadata_directory, f"{name.replace('-', '_')}-{version}.dist-info")
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
        return folder.name

    BuildBackendHookCaller.prepare_metadata_for_build_wheel = metadata  # type: ignore[method-assign]
    sys.addaudithook(_refuse_python)
    os.environ["PIP_USE_PEP517"] = "1"  # older versions of pip would otherwise run setup.py themselves
    sys.argv = ["pip", *arguments, "--no-build-isolation"]
    runpy.run_module("pip", run_name="__main__", alter_sys=True)


def _refuse_python(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "subprocess.Popen":
        return
    command = arguments[1] if isinstance(arguments[1], str) else " ".join(map(str, arguments[1]))
    if sys.executable in command:
        raise RuntimeError("pip wanted to run code of the source distribution, which is refused")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
