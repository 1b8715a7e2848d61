"""The server: what front ends connect to. It never imports torch."""
