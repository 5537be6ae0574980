# pyright: basic
"""Losses against independent computations in NumPy (float64) and their gradients against finite differences."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from ratchet_trainer.job import DpoStage
from ratchet_trainer.losses import (
    PairLogps,
    cal_dpo_loss,
    cal_dpo_published_loss,
    count_kept,
    disagreement_scores,
    dpo_loss,
    dr_dpo_published,
    dr_dpo_weights,
    keep_least_noisy,
    log_ratios,
    mean_gap,
)
from ratchet_trainer.pair_losses import stage_losses

# A batch made by hand: a clear win, a slight loss, a tie, a large loss.
POLICY = ([-3.0, -2.5, -4.0, -9.0], [-8.0, -2.0, -4.5, -1.0])
REFERENCE = ([-4.0, -2.4, -4.0, -6.0], [-6.5, -2.2, -4.5, -3.0])
H_W = np.array(POLICY[0]) - np.array(REFERENCE[0])
H_L = np.array(POLICY[1]) - np.array(REFERENCE[1])
BETA = 0.1


def pair(values: tuple[list[float], list[float]]) -> PairLogps:
    return PairLogps(torch.tensor(values[0], dtype=torch.float64), torch.tensor(values[1], dtype=torch.float64))


def ratios_at(h_w: np.ndarray, h_l: np.ndarray) -> PairLogps:
    return PairLogps(torch.tensor(h_w, requires_grad=True), torch.tensor(h_l, requires_grad=True))


def softplus(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def plain(h_w: np.ndarray, h_l: np.ndarray) -> np.ndarray:
    return softplus(-BETA * (h_w - h_l))


MU = float((H_W - H_L).mean())

CASES: dict[str, tuple[Callable[[PairLogps], Tensor], Callable[[np.ndarray, np.ndarray], np.ndarray]]] = {
    "dpo": (lambda r: dpo_loss(r, BETA), plain),
    "cal-dpo": (
        lambda r: cal_dpo_loss(r, BETA, torch.tensor(MU)),
        lambda h_w, h_l: softplus(-BETA * (h_w - h_l - MU)),  # μ stays where it is when h moves: no gradient through it
    ),
    "cal-dpo-published": (
        lambda r: cal_dpo_published_loss(r, BETA, 0.7),
        lambda h_w, h_l: softplus(-(h_w - h_l)) + 0.7 * ((h_w - 1 / (2 * BETA)) ** 2 + (h_l + 1 / (2 * BETA)) ** 2),
    ),
    "dr-dpo-published": (
        lambda r: dr_dpo_published(dpo_loss(r, BETA), 0.5).reshape(1),
        lambda h_w, h_l: np.array([-0.5 * np.log(np.mean(np.exp(-plain(h_w, h_l) / 0.5)))]),
    ),
}


def test_log_ratios() -> None:
    ratios = log_ratios(pair(POLICY), pair(REFERENCE))
    np.testing.assert_allclose(ratios.chosen.numpy(), H_W, atol=1e-12)
    np.testing.assert_allclose(ratios.rejected.numpy(), H_L, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_value(name: str) -> None:
    loss, expected = CASES[name]
    np.testing.assert_allclose(loss(ratios_at(H_W, H_L)).detach().numpy(), expected(H_W, H_L), atol=1e-7)


@pytest.mark.parametrize("name", CASES)
def test_gradient(name: str) -> None:
    loss, expected = CASES[name]
    ratios = ratios_at(H_W, H_L)
    loss(ratios).sum().backward()  # type: ignore[no-untyped-call]
    step = 1e-6
    for side, tensor in enumerate(ratios):
        assert tensor.grad is not None
        for index in range(4):
            moved = [H_W.copy(), H_L.copy()]
            moved[side][index] += step
            up = expected(*moved).sum()
            moved[side][index] -= 2 * step
            slope = (up - expected(*moved).sum()) / (2 * step)
            assert float(tensor.grad[index]) == pytest.approx(slope, abs=1e-6)


def window_loss(stage: DpoStage, ratios: PairLogps) -> Tensor:
    """A step's loss as the trainer makes it: losses per pair by name, weights of the whole window."""
    losses = stage_losses(stage, ratios, mean_gap(ratios))
    is_weighted = stage.loss == "dr-dpo-published"
    weights = dr_dpo_weights(losses, stage.dr_beta_prime) if is_weighted else torch.full((4,), 0.25)
    return (weights * losses).sum()


@pytest.mark.parametrize("name", CASES)
def test_a_stage_by_name(name: str) -> None:
    """Every selectable loss with β, λ and β′ of its stage, and the gradient that a step takes."""
    stage = DpoStage(1, BETA, cast("Any", name), 0.0, cal_lambda=0.7, dr_beta_prime=0.5)
    direct, selected = ratios_at(H_W, H_L), ratios_at(H_W, H_L)
    losses = stage_losses(stage, selected, torch.tensor(MU))
    if name != "dr-dpo-published":  # whose losses per pair are the plain ones
        np.testing.assert_allclose(losses.detach().numpy(), CASES[name][1](H_W, H_L), atol=1e-7)
    window_loss(stage, selected).backward()  # type: ignore[no-untyped-call]
    CASES[name][0](direct).mean().backward()  # type: ignore[no-untyped-call]
    for one, other in zip(direct, selected, strict=True):
        assert one.grad is not None
        torch.testing.assert_close(one.grad, other.grad, atol=1e-9, rtol=0)


def test_dpo_by_hand() -> None:
    """gap = 2.5 nats at β 0.1: −log σ(0.25) = 0.57593942."""
    assert float(dpo_loss(ratios_at(H_W, H_L), 0.1)[0].detach()) == pytest.approx(0.57593942, abs=1e-8)


def test_untrained_policy_costs_log_two() -> None:
    zero = PairLogps(torch.zeros(3), torch.zeros(3))
    assert dpo_loss(zero, 0.3).tolist() == pytest.approx([np.log(2)] * 3)


def test_mean_gap_has_no_gradient() -> None:
    ratios = ratios_at(H_W, H_L)
    mu = mean_gap(ratios)
    assert float(mu) == pytest.approx(MU)
    assert not mu.requires_grad


def test_cal_dpo_through_mu_would_teach_nothing() -> None:
    """Why μ is a constant: with its gradient, moving all gaps together would change nothing."""
    ratios = ratios_at(H_W, H_L)
    cal_dpo_loss(ratios, BETA, mean_gap(ratios)).mean().backward()  # type: ignore[no-untyped-call]
    assert ratios.chosen.grad is not None
    assert float(ratios.chosen.grad.sum()) < -1e-3


def test_dr_dpo_weights_give_its_gradient() -> None:
    direct, weighted = ratios_at(H_W, H_L), ratios_at(H_W, H_L)
    dr_dpo_published(dpo_loss(direct, BETA), 0.5).backward()  # type: ignore[no-untyped-call]
    losses = dpo_loss(weighted, BETA)
    (dr_dpo_weights(losses, 0.5) * losses).sum().backward()  # type: ignore[no-untyped-call]
    for one, other in zip(direct, weighted, strict=True):
        assert one.grad is not None
        torch.testing.assert_close(one.grad, other.grad, atol=1e-9, rtol=0)


def test_dr_dpo_of_one_pair_is_dpo() -> None:
    losses = dpo_loss(ratios_at(H_W[:1], H_L[:1]), BETA).detach()
    assert float(dr_dpo_published(losses, 2.0)) == pytest.approx(float(losses[0]))


def test_disagreement() -> None:
    scores = disagreement_scores(ratios_at(H_W, H_L), BETA).numpy()
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(BETA * (H_W - H_L))), atol=1e-12)
    assert scores.argmax() == 3  # the pair that the policy contradicts most


def test_keeps_the_least_noisy() -> None:
    assert keep_least_noisy(torch.tensor([0.4, 0.9, 0.1, 0.8]), 0.25) == [0, 2, 3]
    assert keep_least_noisy(torch.tensor([0.5, 0.5, 0.5, 0.5]), 0.5) == [0, 1]  # ties: the later goes first
    assert keep_least_noisy(torch.tensor([0.2, 0.1]), 0.0) == [0, 1]


@pytest.mark.parametrize(("pairs", "share", "kept"), [(100, 0.15, 85), (20, 0.15, 17), (7, 0.15, 6), (6, 0.15, 6)])
def test_counts(pairs: int, share: float, kept: int) -> None:
    assert count_kept(pairs, share) == kept


def test_refuses_nonsense() -> None:
    ratios = ratios_at(H_W, H_L)
    with pytest.raises(ValueError, match="beta"):
        dpo_loss(ratios, 0)
    with pytest.raises(ValueError, match="cal_lambda"):
        cal_dpo_published_loss(ratios, 0.1, -1)
    with pytest.raises(ValueError, match="beta_prime"):
        dr_dpo_published(torch.ones(2), 0)
    with pytest.raises(ValueError, match="drop_share"):
        count_kept(3, 1.0)
    with pytest.raises(ValueError, match="one shape"):
        log_ratios(pair(POLICY), PairLogps(torch.zeros(2), torch.zeros(2)))
