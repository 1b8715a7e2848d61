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
TEXT_BYTES = 64 * 2**10  # of one text frame, but for
ANSWER_BYTES = 2**20  # one from the backend
HEADER_BYTES = 16 * 2**10  # of a binary frame's header, but for those that are longer than
BINARY_BYTES = 2**20  # a binary frame, which may have
RESULT_BYTES = 128 * 2**20  # with a result's files, or with a job's inputs
BUFFERS = 16  # in one binary frame
JSON_DEPTH = 32

CONNECTIONS, CONNECTIONS_PER_ORIGIN = 64, 8
QUEUED, QUEUED_PER_CLIENT = 100, 20
HELLO_S = 5.0  # until a connection has said hello
BLOB_IDLE_S = 600.0  # how long an input of no job is kept
