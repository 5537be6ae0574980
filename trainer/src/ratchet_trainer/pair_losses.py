"""Which loss a DPO stage uses."""

from torch import Tensor

from .job import DpoStage
from .losses import PairLogps, cal_dpo_loss, cal_dpo_published_loss, dpo_loss


def needs_window(stage: DpoStage) -> bool:
    """Whether the loss of a pair depends on the other pairs of the optimizer step."""
    return stage.loss in ("cal-dpo", "dr-dpo-published")


def stage_losses(stage: DpoStage, ratios: PairLogps, mu: Tensor) -> Tensor:
    """Losses per pair, nats, f32[pairs]; Dr. DPO's are the plain ones that it then weights.

    Args:
        stage: Loss, β and λ.
        ratios: h_w and h_l, f32[pairs].
        mu: Mean gap of the step, f32 scalar; used by the plan's Cal-DPO.
    """
    if stage.loss == "cal-dpo":
        return cal_dpo_loss(ratios, stage.beta, mu)
    if stage.loss == "cal-dpo-published":
        return cal_dpo_published_loss(ratios, stage.beta, stage.cal_lambda)
    return dpo_loss(ratios, stage.beta)
