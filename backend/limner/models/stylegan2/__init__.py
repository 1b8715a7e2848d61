"""StyleGAN2: the generator, its discriminator, and the layouts in which its weights are published.

Written from the papers in plain PyTorch: no compiled operations, on CPU, CUDA and MPS.
"""

from limner.models.stylegan2.config import Config, StyleLayer
from limner.models.stylegan2.discriminator import Discriminator
from limner.models.stylegan2.files import load
from limner.models.stylegan2.generator import Generator, Noise, mix

__all__ = ["Config", "Discriminator", "Generator", "Noise", "StyleLayer", "load", "mix"]
