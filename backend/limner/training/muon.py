"""Muon for networks with convolutions: matrices learn by steps whose directions are all as long
(Jordan et al. 2024, https://kellerjordan.github.io/posts/muon), everything else by AdamW.

A kernel is the matrix of what each of its channels gathers. What is seen seldom moves a matrix as
far as what is seen always; so a decoder of a thousand things learns with fewer pictures. Steps are
as long as AdamW's (Liu et al. 2025, arXiv 2502.16982), so one rate does for both.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.optim import AdamW, Muon, Optimizer


def optimizers(network: nn.Module, rate: float, weight_decay: float) -> dict[str, Optimizer]:
    """Muon and AdamW, between them for all of a network's weights, by their names in a `Run`.

    Muon's own parameters are views of the network's weights, and take their gradients as soon as
    they are there; the weights must keep their place in memory from now on.
    """
    matrices, rest = [], []
    for weights in network.parameters():
        if weights.ndim in (2, 4):
            matrices.append(_viewed(weights))
        else:
            rest.append(weights)
    muon = Muon(matrices, rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
    return {"muon": muon, "adam": AdamW(rest, rate, weight_decay=weight_decay, fused=True)}


def _viewed(weights: nn.Parameter) -> nn.Parameter:
    """(O, …) as a matrix (O, N) that lies in the same memory and gets the same gradient."""
    view = nn.Parameter(_flat(weights.detach()))
    assert view.data_ptr() == weights.data_ptr(), "weights that lie in no order"  # noqa: S101

    def taken(weights: Tensor) -> None:
        assert weights.grad is not None  # noqa: S101
        view.grad, weights.grad = _flat(weights.grad), None

    weights.register_post_accumulate_grad_hook(taken)
    return view


def _flat(weights: Tensor) -> Tensor:
    """A matrix, whichever of two ways (O, I, H, W) lies in memory."""
    if weights.ndim == 4 and not weights.is_contiguous():
        weights = weights.permute(0, 2, 3, 1)
    return weights.flatten(1)
