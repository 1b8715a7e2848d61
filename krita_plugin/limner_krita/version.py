"""Which Limner plugin this is, and the oldest Krita that it knows."""

VERSION = "0.1.0"
KRITA_LEAST = (5, 1)
