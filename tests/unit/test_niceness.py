"""Children that give way do so to other sessions too."""

import os
import subprocess
import sys

from stack import PATIENCE

CHILD = """
import os, time
from pathlib import Path
from workers.child import give_way
os.setsid()
give_way(7)
print(os.nice(0))
group = Path("/proc/self/autogroup")
for _ in range(100):  # of all users without rights the kernel hears one in a tenth of a second
    shown = group.read_text().split()[-1] if group.exists() else str(os.nice(0))
    if shown == str(os.nice(0)):
        break
    time.sleep(0.1)
    give_way(0)
print(shown)
"""


def test_niceness_is_that_of_the_process_and_of_its_session() -> None:
    ran = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert ran.stdout.split() == [str(min(19, os.nice(0) + 7))] * 2
