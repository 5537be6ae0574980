"""Which rows each step sees."""

import pytest

from ratchet_trainer.plan import Place, StagePlan, WindowPlan, micro_batches

PLAN = WindowPlan([StagePlan(1, 20), StagePlan(2, 17)], window=8, seed=7)


def test_windows_never_straddle_stages() -> None:
    assert PLAN.total == 3 + 3 + 3
    assert PLAN.epoch_ends() == [3, 6, 9]
    assert [PLAN.locate(step) for step in (0, 2, 3, 8)] == [
        Place(0, 0, 0),
        Place(0, 0, 2),
        Place(1, 1, 0),
        Place(2, 1, 2),
    ]
    with pytest.raises(ValueError, match="beyond"):
        PLAN.locate(9)


def test_every_epoch_visits_every_row_once() -> None:
    for epoch, rows in ((0, range(20)), (1, range(3, 20)), (2, range(3, 20))):
        seen = [row for index in range(3) for row in PLAN.rows(Place(epoch, min(epoch, 1), index), rows)]
        assert sorted(seen) == list(rows)
        assert seen != sorted(seen)


def test_order_depends_on_seed_and_epoch_only() -> None:
    place = Place(1, 1, 0)
    assert PLAN.rows(place, range(17)) == WindowPlan(PLAN.stages, 8, 7).rows(place, range(17))
    assert PLAN.rows(place, range(17)) != WindowPlan(PLAN.stages, 8, 8).rows(place, range(17))
    assert PLAN.rows(place, range(17)) != PLAN.rows(Place(2, 1, 0), range(17))


def test_fraction_of_an_epoch() -> None:
    plan = WindowPlan([StagePlan(1.5, 20)], window=4, seed=0)
    assert plan.total == 5 + 3
    assert plan.progress(5) == 1.0
    assert plan.progress(6) == pytest.approx(1.2)
    assert plan.progress(8) == 1.5


def test_micro_batches_hold_rows_of_similar_length() -> None:
    lengths = [9, 1, 5, 1, 7]
    assert micro_batches([0, 1, 2, 3, 4], lengths, 2) == [[1, 3], [2, 4], [0]]


def test_a_window_that_is_too_small_joins_the_one_before() -> None:
    plan = WindowPlan([StagePlan(1, 20, least=2), StagePlan(2, 17, least=2)], window=8, seed=7)
    assert plan.epoch_ends() == [3, 5, 7]
    windows = [plan.rows(plan.locate(step), range(3, 20)) for step in (3, 4)]
    assert [len(rows) for rows in windows] == [8, 9]
    assert sorted(row for rows in windows for row in rows) == list(range(3, 20))
    assert plan.progress(4) == 1.5
    # Nothing to join: an epoch of one row is one window.
    assert WindowPlan([StagePlan(1, 1, least=2)], window=8, seed=7).total == 1
