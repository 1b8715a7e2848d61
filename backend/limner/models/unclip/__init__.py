"""unCLIP (Ramesh et al. 2022, arXiv 2204.06125): from words to a CLIP's image embedding, and from
that to a picture."""
