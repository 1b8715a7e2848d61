"""What a pipeline's schedulers say of its noise; how steps are made is Limner's own
(`unclip.sampling`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from limner.models.pickles import shown
from limner.models.pipelines.folder import Folder
from limner.models.unclip.schedule import LATENT_BETAS, STEPS
from limner_wire.errors import ErrorCode, LimnerError

PREDICTIONS = {"epsilon": "epsilon", "sample": "sample", "v_prediction": "v"}
UNCLIP = "UnCLIPScheduler"
USUAL = {  # what diffusers' schedulers take where their config says nothing
    "num_train_timesteps": STEPS, "beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02,
    "trained_betas": None, "prediction_type": "epsilon", "variance_type": "", "clip_sample": True,
    "clip_sample_range": 1.0, "rescale_betas_zero_snr": False,
}  # fmt: skip
SCHEDULES = {
    ("linear", 0.0001, 0.02): "linear",
    ("linear", *LATENT_BETAS): "latent-linear",
    ("scaled_linear", *LATENT_BETAS): "latent-scaled",
}
CLAMP_MOST = 1000.0


@dataclass(frozen=True, slots=True)
class Noise:
    """What a network has learned with.

    Attributes:
        schedule: of `schedule.KINDS`.
        prediction: of `sampling.PREDICTIONS`.
        is_learned: whether it puts out its variance too.
        clamp: where its guesses are cut off; 0 for nowhere.
    """

    schedule: str
    prediction: str
    is_learned: bool
    clamp: float


def noise_of(folder: Folder, part: str) -> Noise:
    """What one of a pipeline's schedulers says.

    Raises:
        LimnerError: UNREADABLE if it is missing; UNKNOWN_MODEL if it says something that Limner
            does not know.
    """
    config = {**USUAL, **folder.config(part)}
    kind = folder.classes.get(part, "")
    if not kind.endswith("Scheduler"):
        raise LimnerError(ErrorCode.UNKNOWN_MODEL, f"Its {part}/ is no scheduler.")
    clamp = config["clip_sample_range"] if config["clip_sample"] else 0.0
    if not isinstance(clamp, int | float) or not 0 <= clamp <= CLAMP_MOST:
        raise _other(part, "clip_sample_range", clamp)
    said = str(config["prediction_type"])
    if said not in PREDICTIONS:
        raise _other(part, "prediction_type", said)
    return Noise(
        _schedule(part, kind, config), PREDICTIONS[said],
        config["variance_type"] in ("learned", "learned_range"), float(clamp),
    )  # fmt: skip


def _schedule(part: str, kind: str, config: Mapping[str, Any]) -> str:
    for key in ("num_train_timesteps", "trained_betas", "rescale_betas_zero_snr"):
        if config[key] != USUAL[key]:
            raise _other(part, key, config[key])
    if kind == UNCLIP or config["beta_schedule"] == "squaredcos_cap_v2":
        return "cosine"
    said = (config["beta_schedule"], config["beta_start"], config["beta_end"])
    if said not in SCHEDULES:
        raise _other(part, "beta_schedule", " ".join(map(str, said)))
    return SCHEDULES[said]


def _other(part: str, key: str, said: Any) -> LimnerError:
    words = f"{part}/ says {shown(str(said), 60)} for its {key}, which Limner does not know."
    return LimnerError(ErrorCode.UNKNOWN_MODEL, words)
