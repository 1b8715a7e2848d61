"""Engines: where jobs run, as the server sees it."""
