from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from abp.network.gradients import loss_gradients
from abp.pruning.criteria import CRITERIA
from abp.sklearn import PrunedMLPClassifier
from abp.sklearn.network_training import Samples

Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # train x, test x, train y, test y


@pytest.fixture(scope="module")
def digits() -> Split:
    x, y = load_digits(return_X_y=True)
    return train_test_split(x / 16, y, test_size=500, random_state=0, stratify=y)


@pytest.fixture(autouse=True)
def few_iterations() -> Iterator[None]:
    """Most tests stop before training has converged."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def checks(estimator) -> list[tuple[str, str]]:
    """Name and outcome of every check of scikit-learn's, in order; a failure raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [(done["check_name"], done["status"]) for done in check_estimator(estimator, on_skip=None)]


def test_every_check_of_scikit_learn_passes_that_passes_for_its_own_perceptron():
    mine, theirs = checks(PrunedMLPClassifier(max_iter=60)), checks(MLPClassifier(max_iter=100))
    assert mine == theirs
    assert len(mine) > 50 and {outcome for _, outcome in mine} == {"passed", "skipped"}
    assert sum(outcome == "skipped" for _, outcome in mine) <= 2


def test_no_tag_says_more_or_less_than_those_of_scikit_learns_perceptron():
    assert PrunedMLPClassifier().__sklearn_tags__() == MLPClassifier().__sklearn_tags__()


def test_without_pruning_it_is_as_accurate_as_scikit_learns_perceptron():
    x, y = load_digits(return_X_y=True)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    settings = {"hidden_layer_sizes": (60, 40), "random_state": 0, "max_iter": 60}
    mine = cross_val_score(PrunedMLPClassifier(amount=0.0, **settings), x / 16, y, cv=folds)
    theirs = cross_val_score(MLPClassifier(**settings), x / 16, y, cv=folds)
    noise = theirs.std(ddof=1)
    assert abs(mine.mean() - theirs.mean()) <= noise, (mine, theirs)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_every_criterion_removes_what_was_asked_for(criterion, digits):
    x, _, y, _ = digits
    model = PrunedMLPClassifier((30, 20), criterion=criterion, amount=0.6, max_iter=12, random_state=0).fit(x, y)
    hidden = [coef.size for coef in model.coefs_[:-1]]
    widest = max(model.coefs_[0].shape[0], model.coefs_[1].shape[0])
    within = widest if CRITERIA[criterion].whole_neurons or criterion.startswith("shuffled") else 1
    removed = sum(int((~mask).sum()) for mask in model.masks_)
    expected = 0 if criterion == "none" else 0.6 * sum(hidden)
    assert abs(removed - expected) <= within
    assert model.sparsity_ == removed / sum(hidden)
    for coef, mask in zip(model.coefs_, model.masks_, strict=False):
        assert coef.shape == mask.shape and not coef[~mask].any()
    assert len(model.history_) == model.n_iter_ and model.history_[-1]["sparsity"] == model.sparsity_


def test_eighty_per_cent_can_go_and_the_digits_are_still_read(digits):
    x, test_x, y, test_y = digits
    model = PrunedMLPClassifier((60, 40), amount=0.8, random_state=0).fit(x, y)
    assert model.sparsity_ == pytest.approx(0.8, abs=1e-3)
    assert model.score(test_x, test_y) > 0.93
    steps = [record["sparsity"] for record in model.history_]
    assert len(set(steps)) == 6 and steps == sorted(steps)  # five prunings


@pytest.mark.parametrize("max_iter", [1, 3, 20])
def test_the_amount_is_reached_within_any_number_of_iterations(max_iter, digits):
    x, _, y, _ = digits
    model = PrunedMLPClassifier((20,), amount=0.5, max_iter=max_iter, learning_rate_init=1e-6, random_state=0).fit(x, y)
    assert model.n_iter_ == max_iter
    assert model.sparsity_ == pytest.approx(0.5, abs=1e-3)
    assert max_iter < 20 or model.history_[-2]["sparsity"] == model.sparsity_  # and is trained on after the last one


def test_it_stops_when_it_has_converged_and_says_when_it_has_not(digits):
    x, _, y, _ = digits
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        model = PrunedMLPClassifier((20,), tol=0.02, n_iter_no_change=3, random_state=0).fit(x, y)
        assert model.n_iter_ < 200
        with pytest.raises(ConvergenceWarning, match="not converged"):
            PrunedMLPClassifier((20,), max_iter=5, random_state=0).fit(x, y)


@pytest.mark.parametrize("kind", ["two classes", "three classes", "several labels"])
def test_weights_have_the_shapes_of_scikit_learns_and_probabilities_follow_from_them(kind):
    x, y = load_iris(return_X_y=True)
    if kind == "two classes":
        x, y = x[y < 2], np.array(["red", "green"])[y[y < 2]]
    elif kind == "several labels":
        x, y = make_multilabel_classification(n_samples=150, n_features=4, random_state=0)
    mine = PrunedMLPClassifier((12, 8), max_iter=30, random_state=0).fit(x, y)
    theirs = MLPClassifier((12, 8), max_iter=2, random_state=0).fit(x, y)
    assert [coef.shape for coef in mine.coefs_] == [coef.shape for coef in theirs.coefs_]
    assert [part.shape for part in mine.intercepts_] == [part.shape for part in theirs.intercepts_]
    np.testing.assert_array_equal(mine.classes_, theirs.classes_)

    values = x
    for coef, intercept in zip(mine.coefs_, mine.intercepts_, strict=True):
        values = np.maximum(values, 0) if values is not x else values
        values = values @ coef + intercept
    if kind == "three classes":
        expected = np.exp(values) / np.exp(values).sum(1, keepdims=True)
    else:
        expected = 1 / (1 + np.exp(-values))
        expected = np.hstack([1 - expected, expected]) if kind == "two classes" else expected
    np.testing.assert_allclose(mine.predict_proba(x), expected, rtol=1e-6)
    np.testing.assert_allclose(mine.predict_log_proba(x), np.log(expected), rtol=1e-6)
    chosen = (expected > 0.5).astype(int) if kind == "several labels" else mine.classes_[expected.argmax(1)]
    np.testing.assert_array_equal(mine.predict(x), chosen)


def test_one_class_has_one_probability():
    x = np.random.default_rng(0).random((20, 3))
    model = PrunedMLPClassifier((5,), max_iter=2).fit(x, np.full(20, "only"))
    assert model.predict_proba(x).tolist() == [[1.0]] * 20
    assert set(model.predict(x)) == {"only"}


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_same_random_state_gives_the_same_bits_from_dense_and_from_sparse_samples(solver, momentum, digits):
    x, _, y, _ = digits
    settings = {"solver": solver, "momentum": momentum, "learning_rate_init": 0.01, "max_iter": 8, "random_state": 7}
    first = PrunedMLPClassifier((20, 10), **settings).fit(x, y)
    for samples in (x, np.asfortranarray(x), sparse.csr_array(x), sparse.csc_matrix(x)):
        again = clone(first).fit(samples, y)
        for mine, theirs in zip(again.coefs_, first.coefs_, strict=True):
            np.testing.assert_array_equal(mine, theirs)
        np.testing.assert_array_equal(again.predict_proba(samples), first.predict_proba(x))
    other = clone(first).set_params(random_state=8).fit(x, y)
    assert not np.array_equal(other.coefs_[0], first.coefs_[0])


def test_it_computes_in_the_type_of_its_samples(digits):
    x, test_x, y, _ = digits
    for kind in (np.float32, np.float64):
        model = PrunedMLPClassifier((10,), max_iter=3).fit(x.astype(kind), y)
        assert {coef.dtype for coef in model.coefs_} == {np.dtype(kind)}
        assert model.predict_proba(test_x.astype(kind)).dtype == kind


def test_weights_of_samples_count_in_their_activations_too(digits):
    """Removing by activation after weighted samples is removing after as many repeated ones."""
    x, _, y, _ = digits
    weights = np.random.default_rng(0).integers(0, 4, len(x))
    settings = {"amount": 0.7, "prunings": 2, "solver": "sgd", "learning_rate_init": 0.1, "max_iter": 6}
    full_batch = PrunedMLPClassifier((20, 10), batch_size=10_000, random_state=0, **settings)
    weighted = clone(full_batch).fit(x, y, sample_weight=weights)
    repeated = clone(full_batch).fit(x.repeat(weights, axis=0), y.repeat(weights))
    for mine, theirs in zip(weighted.masks_, repeated.masks_, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_allclose(weighted.coefs_[0], repeated.coefs_[0], rtol=1e-6, atol=1e-9)


# In scikit-learn's own tools


def test_a_grid_is_searched_over_a_pipeline_with_pandas_output():
    x, y = load_iris(return_X_y=True, as_frame=True)
    scaler = StandardScaler().set_output(transform="pandas")
    pipeline = make_pipeline(scaler, PrunedMLPClassifier((16,), learning_rate_init=0.02, max_iter=60, random_state=0))
    grid = {"prunedmlpclassifier__criterion": ["activation", "magnitude"], "prunedmlpclassifier__amount": [0.3, 0.6]}
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise").fit(x, y)
    best = search.best_estimator_[-1]
    assert best.sparsity_ == pytest.approx(search.best_params_["prunedmlpclassifier__amount"], abs=0.01)
    assert list(best.feature_names_in_) == list(x.columns)
    assert search.score(x, y) > 0.9
    with pytest.raises(ValueError, match="feature names"):
        best.predict(x.rename(columns=str.upper))


def test_history_is_a_table(digits):
    x, _, y, _ = digits
    table = pd.DataFrame(PrunedMLPClassifier((20,), max_iter=9, random_state=0).fit(x, y).history_)
    assert list(table.columns) == ["epoch", "loss", "accuracy", "sparsity"]
    assert list(table["epoch"]) == list(range(1, 10))
    assert table["loss"].iloc[0] > table["loss"].iloc[-1]


# In parts


def test_parts_of_the_data_are_learned_one_after_the_other_under_the_masks(digits):
    x, test_x, y, test_y = digits
    model = PrunedMLPClassifier((40,), amount=0.5, prunings=2, learning_rate_init=0.01, random_state=0)
    masks: list[np.ndarray] = []
    for epoch in range(10):
        for part in np.array_split(np.arange(len(x)), 3):
            model.partial_fit(x[part], y[part], classes=np.arange(10) if epoch == 0 else None)
            masks.append(model.masks_[0].copy())
            assert not model.coefs_[0][~masks[-1]].any()
    assert model.sparsity_ == pytest.approx(0.5, abs=1e-3)
    assert not any((new & ~old).any() for old, new in zip(masks, masks[1:], strict=False))
    assert model.score(test_x, test_y) > 0.9


def test_a_pickled_or_copied_model_goes_on_with_the_same_bits(digits):
    x, _, y, _ = digits
    model = PrunedMLPClassifier((20, 10), criterion="activation-neuron", max_iter=6, random_state=0).fit(x, y)
    others = [pickle.loads(pickle.dumps(model)), copy.deepcopy(model)]
    model.partial_fit(x, y)
    for other in others:
        assert not np.array_equal(other.coefs_[0], model.coefs_[0])
        other.partial_fit(x, y)
        for mine, theirs in zip(other.coefs_, model.coefs_, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_a_fit_forgets_the_one_before(digits):
    x, _, y, _ = digits
    model = PrunedMLPClassifier((20,), max_iter=4, random_state=0)
    first = [coef.copy() for coef in model.fit(x, y).coefs_]
    model.fit(x[:, :8], y > 4).fit(x, y)
    for mine, theirs in zip(model.coefs_, first, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_classes_must_be_known_and_stay(digits):
    x, _, y, _ = digits
    first = y < 5
    with pytest.raises(ValueError, match="classes must be named in the first call"):
        PrunedMLPClassifier((5,)).partial_fit(x[first], y[first])
    model = PrunedMLPClassifier((5,)).partial_fit(x[first], y[first], classes=range(5))
    with pytest.raises(ValueError, match="not in classes"):
        model.partial_fit(x, y)
    with pytest.raises(ValueError, match="not those of the first call"):
        model.partial_fit(x[first], y[first], classes=range(6))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_layer_sizes", ()),
        ("hidden_layer_sizes", (10, 0)),
        ("hidden_layer_sizes", 2.5),
        ("criterion", "size"),
        ("scope", "all"),
        ("solver", "lbfgs"),
        ("batch_size", 0),
        ("batch_size", "all"),
        ("prunings", -1),
        ("max_iter", 0),
        ("n_iter_no_change", 1.5),
        ("amount", 1.1),
        ("amount", True),
        ("momentum", 1.0),
        ("learning_rate_init", 0.0),
        ("tol", "small"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named_by_fit_and_not_before(name, value, digits):
    x, _, y, _ = digits
    model = PrunedMLPClassifier(**{name: value})
    with pytest.raises(ValueError, match=f"{name} must be"):
        model.fit(x, y)


def test_a_diverging_training_is_an_error_that_says_what_helps(digits):
    x, _, y, _ = digits
    with pytest.raises(ValueError, match="smaller learning_rate_init"):
        PrunedMLPClassifier((20,), solver="sgd").fit(np.float32(1e30) * x.astype(np.float32), y)


@pytest.mark.parametrize("weights", [-np.ones(3), np.ones((3, 1)), np.ones(2)])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(ValueError, match=r"sample_weight|inconsistent"):
        PrunedMLPClassifier().fit(np.eye(3), [0, 1, 2], sample_weight=weights)


def test_snip_prunes_before_the_first_epoch(digits):
    x, _, y, _ = digits
    model = PrunedMLPClassifier((20,), criterion="snip", amount=0.7, max_iter=3, random_state=0).fit(x, y)
    assert [record["sparsity"] for record in model.history_] == pytest.approx([0.7] * 3, abs=1e-3)


def test_gradients_of_samples_are_those_that_runs_use(digits):
    x, _, y, _ = digits
    training = PrunedMLPClassifier((20, 10), max_iter=2, random_state=0).fit(x, y)._training
    samples = Samples(x, np.eye(10)[y], np.ones(len(x)), weighted=False)
    expected = loss_gradients(training.network, torch.from_numpy(x), torch.from_numpy(y))
    for mine, theirs in zip(training._gradients(samples), expected, strict=True):
        torch.testing.assert_close(mine.float(), theirs, rtol=1e-5, atol=1e-8)
