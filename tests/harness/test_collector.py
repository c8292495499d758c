import subprocess
import sys

SCRIPT = """
import gc
from harness import collector

if {spares}:
    collector.spare_modules()
before = gc.get_freeze_count()
with collector.large_import():
    assert not gc.isenabled()
    import email.mime.text
assert gc.isenabled()
first = gc.get_freeze_count()
with collector.large_import():
    import email.mime.text
print(first > before, gc.get_freeze_count() == first)
"""


def run(spares):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(spares=spares)], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_modules_are_spared_where_the_program_says_so_and_when_any_were_imported():
    assert run(spares=True) == ["True", "True"]
    assert run(spares=False) == ["False", "True"]
