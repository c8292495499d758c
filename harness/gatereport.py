"""What a gate found, as lines, JSON, JUnit XML and GitHub's annotations."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.gating import Check


def as_lines(checks: Sequence[Check]) -> str:
    """A line for each check that did not pass, and one that counts them."""
    marks = {"failed": "FAILED", "not compared": "not compared"}
    lines = [f"{marks[one.verdict]}: {one.trial} {one.what}: {one.said}" for one in checks if one.verdict in marks]
    counts = Counter(one.verdict for one in checks)
    numbers = ", ".join(f"{counts[verdict]} {verdict}" for verdict in ("passed", "failed", "not compared"))
    return "\n".join(map(_line, [*lines, f"{len(checks)} checks: {numbers}"]))


def as_json(checks: Sequence[Check]) -> str:
    """All checks, for programs; numbers that are not finite are null."""
    told = {"passed": not any(one.verdict == "failed" for one in checks)}
    listed = [_finite(dataclasses.asdict(one)) for one in checks]
    return json.dumps(told | {"checks": listed}, indent=2, ensure_ascii=False, allow_nan=False)


def as_junit(checks: Sequence[Check]) -> bytes:
    """JUnit XML, as CI servers read it: a test case for each check."""
    counts = Counter(one.verdict for one in checks)
    totals = {"tests": len(checks), "failures": counts["failed"], "errors": 0, "skipped": counts["not compared"]}
    attributes = {name: str(number) for name, number in totals.items()}
    suites = ET.Element("testsuites", attributes)
    suite = ET.SubElement(suites, "testsuite", {"name": "harness gate", **attributes})
    for one in checks:
        case = ET.SubElement(suite, "testcase", {"classname": _line(one.trial), "name": _line(one.what), "time": "0"})
        if one.verdict == "failed":
            ET.SubElement(case, "failure", {"message": _line(one.said), "type": "regression"})
        elif one.verdict == "not compared":
            ET.SubElement(case, "skipped", {"message": _line(one.said)})
        else:
            ET.SubElement(case, "system-out").text = _line(one.said)
    ET.indent(suites)
    content: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def as_annotations(checks: Sequence[Check]) -> str:
    """GitHub's workflow commands: an error for each failure, a warning for what was not compared."""
    kinds = {"failed": "error", "not compared": "warning"}
    return "\n".join(
        f"::{kinds[one.verdict]} title=harness gate::{_command(f'{one.trial} {one.what}: {one.said}')}"
        for one in checks
        if one.verdict in kinds
    )


def _command(text: str) -> str:
    return _line(text).replace("%", "%25")


def _line(text: str) -> str:
    """On one line, without characters that command a terminal or that XML does not take."""
    return "".join(sign if sign.isprintable() else " " if sign.isspace() else "\ufffd" for sign in text)


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
