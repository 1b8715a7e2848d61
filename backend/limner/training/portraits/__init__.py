"""Cartoon portraits that Limner paints itself, with everything in them known: see `painter`."""
