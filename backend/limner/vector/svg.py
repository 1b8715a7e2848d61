"""SVG in and out: the public names. `svg_write` and `svg_read` hold the work."""

from limner.vector.svg_read import read_svg
from limner.vector.svg_write import read_metadata, svg_replay_text, svg_text

__all__ = ["read_metadata", "read_svg", "svg_replay_text", "svg_text"]
