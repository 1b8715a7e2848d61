"""What a Limner plugin and the Limner backend agree on; standard library alone, Python 3.10."""
