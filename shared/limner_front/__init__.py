"""What the plugins share: the words, what is known of drawings, what is remembered.

It needs the standard library and `limner_wire`. A plugin adds its host's side: windows, canvas.
"""
