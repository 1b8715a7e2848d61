"""The worker: where methods run. The only room that knows methods and the wire both."""
