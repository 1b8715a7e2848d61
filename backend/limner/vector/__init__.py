"""Strokes, their differentiable rasterizer, and SVG."""
