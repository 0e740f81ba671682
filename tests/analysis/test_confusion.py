from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import recall_score

from abp.analysis.confusion import balanced_accuracy, confusion, lost, predictions
from abp.network.mlp import Network

CLASSES = arrays.arrays(np.int64, 60, elements=st.integers(0, 4))


@given(CLASSES, CLASSES)
def test_confusion_counts_every_pair_of_truth_and_answer(truth, predicted):
    counts = confusion(truth, predicted, 6)
    assert counts.shape == (6, 6)
    for row in range(6):
        for column in range(6):
            assert counts[row, column] == sum((truth == row) & (predicted == column))


@given(CLASSES, CLASSES)
def test_balanced_accuracy_is_scikit_learn_s(truth, predicted):
    expected = recall_score(truth, predicted, labels=np.unique(truth), average="macro", zero_division=0)
    assert balanced_accuracy(truth, predicted) == pytest.approx(expected)


@given(CLASSES, CLASSES, CLASSES)
def test_lost_are_those_that_were_right_and_are_wrong(truth, before, after):
    expected = [index for index in range(60) if before[index] == truth[index] != after[index]]
    assert lost(truth, before, after).tolist() == expected


def test_predictions_are_those_of_a_plain_network_in_however_many_parts():
    torch.manual_seed(0)
    first, last = torch.nn.Linear(7, 9), torch.nn.Linear(9, 4)
    x = torch.rand(2500, 7)
    weights, biases = zip(*((layer.weight.detach(), layer.bias.detach()) for layer in (first, last)), strict=True)
    found = predictions(Network(weights, biases), x)
    assert found.tolist() == last(torch.relu(first(x))).argmax(1).tolist()
