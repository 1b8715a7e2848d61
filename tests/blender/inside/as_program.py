"""Blender's command line, as far as the module `bpy` has it: its own code for extensions."""

from __future__ import annotations

import os
import sys

import bpy


def main() -> int:
    """As `blender --version` and `blender --command extension …`."""
    if sys.argv[1] == "--version":
        print(f"Blender {bpy.app.version_string}")
        return 0
    assert sys.argv[1:3] == ["--command", "extension"], sys.argv
    from bl_pkg.bl_extension_cli import cli_extension_handler

    return int(cli_extension_handler(sys.argv[3:]))


code = main()
sys.stdout.flush()
sys.stderr.flush()
os._exit(code)  # a timer that was left behind would keep bpy from ending, for ever
