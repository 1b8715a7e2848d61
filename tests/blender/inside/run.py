"""Runs a function of a file in Blender's Python: run.py FILE FUNCTION ARGUMENTS ANSWER."""

from __future__ import annotations

import json
import os
import runpy
import sys
import traceback
from pathlib import Path


def main() -> int:
    """What the function answers is written as JSON; a failure is told on the screen."""
    file, function, given, answer = sys.argv[1:]
    sys.path.insert(0, str(Path(file).parent))  # the files there may use each other
    try:
        told = runpy.run_path(file)[function](**json.loads(given))
        Path(answer).write_text(json.dumps(told), "utf-8")
        return 0
    except BaseException:
        traceback.print_exc()
        return 1


code = main()
sys.stdout.flush()
sys.stderr.flush()
os._exit(code)  # a timer that was left behind would keep bpy from ending, for ever
