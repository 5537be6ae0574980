"""Preference losses as pure functions of log-probabilities.

Symbols: h_w, h_l are the log-ratios log π/π_ref of the chosen and the rejected completion, in nats (sums over the
completion's tokens); gap = h_w − h_l; β is the KL strength, unitless. Every function takes and returns f32[batch]
unless it says otherwise; nothing is reduced, so that callers can weight pairs.
"""

import math
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor


class PairLogps(NamedTuple):
    """Summed completion log-probabilities, nats: f32[batch] each."""

    chosen: Tensor
    rejected: Tensor


def log_ratios(policy: PairLogps, reference: PairLogps) -> PairLogps:
    """h_w and h_l.

    Raises:
        ValueError: Shapes differ.
    """
    if not (policy.chosen.shape == policy.rejected.shape == reference.chosen.shape == reference.rejected.shape):
        raise ValueError("policy and reference log-probs must have one shape")
    return PairLogps(policy.chosen - reference.chosen, policy.rejected - reference.rejected)


def dpo_loss(ratios: PairLogps, beta: float) -> Tensor:
    """Sigmoid DPO (arXiv:2305.18290, eq. 7): −log σ(β·gap).

    Raises:
        ValueError: beta <= 0.
    """
    return -F.logsigmoid(_positive(beta, "beta") * (ratios.chosen - ratios.rejected))


def cal_dpo_loss(ratios: PairLogps, beta: float, mu: Tensor) -> Tensor:
    """The plan's Cal-DPO: −log σ(β·(gap − μ)).

    μ is the mean gap of the batch and carries no gradient. With a gradient the loss could not see a common shift of
    all gaps and, being convex, would be least where all gaps are equal: it would teach no preference at all. As a
    constant it recentres the sigmoid's weight, so that pairs ahead of the batch weigh less and those behind more.

    Args:
        ratios: f32[batch].
        beta: KL strength, > 0.
        mu: Mean gap, nats, f32 scalar; see `mean_gap`.
    Raises:
        ValueError: beta <= 0.
    """
    return -F.logsigmoid(_positive(beta, "beta") * (ratios.chosen - ratios.rejected - mu.detach()))


def mean_gap(ratios: PairLogps) -> Tensor:
    """μ: mean of h_w − h_l, without gradient, f32 scalar."""
    return (ratios.chosen - ratios.rejected).detach().mean()


def cal_dpo_published_loss(ratios: PairLogps, beta: float, cal_lambda: float) -> Tensor:
    """Cal-DPO as published (Xiao et al. 2024, arXiv:2412.14516).

    −log σ(h_w − h_l) + λ·[(h_w − 1/(2β))² + (h_l + 1/(2β))²]: the margin term has no β; the calibration term pulls
    the log-ratios to ±1/(2β).

    Args:
        ratios: f32[batch].
        beta: KL strength, > 0.
        cal_lambda: Weight of the calibration term, >= 0.
    Raises:
        ValueError: beta <= 0 or cal_lambda < 0.
    """
    if cal_lambda < 0:
        raise ValueError(f"cal_lambda must be >= 0, got {cal_lambda}")
    target = 1.0 / (2.0 * _positive(beta, "beta"))
    margin = -F.logsigmoid(ratios.chosen - ratios.rejected)
    return margin + cal_lambda * ((ratios.chosen - target).square() + (ratios.rejected + target).square())


def dr_dpo_published(losses: Tensor, beta_prime: float) -> Tensor:
    """Dr. DPO as published (Wu et al. 2024, arXiv:2407.07880): −β′·log mean exp(−ℓ/β′), f32 scalar.

    ℓ are the sigmoid DPO losses of the batch. At one pair this is ℓ itself: the method needs a batch.

    Raises:
        ValueError: beta_prime <= 0.
    """
    scaled = -losses / _positive(beta_prime, "beta_prime")
    return -beta_prime * (torch.logsumexp(scaled, 0) - math.log(losses.numel()))


def dr_dpo_weights(losses: Tensor, beta_prime: float) -> Tensor:
    """softmax(−ℓ/β′) without gradient: Σ wᵢ·∇ℓᵢ is the gradient of `dr_dpo_published`.

    With these weights of the whole batch, the gradient can be accumulated over micro-batches exactly.

    Raises:
        ValueError: beta_prime <= 0.
    """
    return torch.softmax(-losses.detach() / _positive(beta_prime, "beta_prime"), 0)


def disagreement_scores(ratios: PairLogps, beta: float) -> Tensor:
    """How strongly the policy contradicts each pair's label: σ(−β·gap), in (0, 1).

    It is the probability, under the policy's implicit reward, that the rejected completion is the better one
    (Bradley-Terry).

    Raises:
        ValueError: beta <= 0.
    """
    return torch.sigmoid(-_positive(beta, "beta") * (ratios.chosen - ratios.rejected)).detach()


def count_kept(pairs: int, drop_share: float) -> int:
    """Pairs left after dropping ⌊share·pairs⌋.

    Raises:
        ValueError: drop_share outside [0, 1).
    """
    if not 0 <= drop_share < 1:
        raise ValueError(f"drop_share must be in [0, 1), got {drop_share}")
    return pairs - int(drop_share * pairs + 1e-9)


def keep_least_noisy(scores: Tensor, drop_share: float) -> list[int]:
    """The plan's Dr-DPO: indices left, ascending, after dropping the ⌊share·n⌋ pairs with the highest scores.

    Among equal scores the later pair goes first.

    Args:
        scores: `disagreement_scores` of all pairs, f32[pairs].
        drop_share: In [0, 1).
    """
    values = cast("list[float]", scores.tolist())  # pyright: ignore[reportUnknownMemberType]
    order = sorted(range(len(values)), key=lambda index: (values[index], index))
    return sorted(order[: count_kept(len(values), drop_share)])


def _positive(value: float, name: str) -> float:
    if not value > 0:
        raise ValueError(f"{name} must be > 0, got {value}")
    return value
