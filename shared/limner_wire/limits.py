"""Every bound in one place. Front ends show them in forms; the backend holds them."""

from __future__ import annotations

PROMPT_CHARS = 2_000
PROMPTS = 16
LIST_ITEMS = 64  # in a setting that is a list

STROKES_MIN, STROKES_MAX = 1, 4_096
STEPS_MIN, STEPS_MAX = 1, 20_000
CANVAS_MIN_PX, CANVAS_MAX_PX = 16, 4_096
SEED_MAX = 2**53 - 1

IMAGE_BYTES = 32 * 2**20
IMAGE_SIDE_PX = 4_096
IMAGE_AREA_PX = 16_800_000

SVG_BYTES = 8 * 2**20
SVG_COMMANDS = 100_000  # path commands over the whole file
SVG_DEPTH = 64
COORDINATE_MAX_PX = 1e6

INT_MAX = 2**53 - 1  # exact in JSON and in a browser
TEXT_BYTES = 64 * 2**10
HEADER_BYTES = 16 * 2**10
BINARY_BYTES = 2**20  # of one binary frame, but for
RESULT_BYTES = 128 * 2**20  # one with a result's files, or with a job's inputs
BUFFERS = 16  # in one binary frame
JSON_DEPTH = 32
