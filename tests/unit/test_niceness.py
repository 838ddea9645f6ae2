"""Children that give way do so to other sessions too."""

import os
import subprocess
import sys

CHILD = """
import os
from pathlib import Path
from workers.child import give_way
os.setsid()
give_way(7)
print(os.nice(0))
group = Path("/proc/self/autogroup")
print(group.read_text().split()[-1] if group.exists() else os.nice(0))
"""


def test_niceness_is_that_of_the_process_and_of_its_session() -> None:
    ran = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.split() == [str(min(19, os.nice(0) + 7))] * 2
