"""What pulls a drawing: cutouts of it, and how near they are to words."""
