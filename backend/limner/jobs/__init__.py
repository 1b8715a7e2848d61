"""Jobs: what was asked for, where each stands, and everything worth keeping about it."""
