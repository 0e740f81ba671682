"""Latency is measured on one core, whatever the run it is measured for has."""

import torch

from abp.analysis.latency import latencies
from abp.analysis.network_summary import summarise_network
from abp.network.masks import full_masks
from abp.network.mlp import Network


def test_passes_have_one_thread_and_what_comes_after_has_as_many_as_before():
    before, seen = torch.get_num_threads(), []
    torch.set_num_threads(2)
    try:
        latencies({"dense": lambda: seen.append(torch.get_num_threads())}, blocks=2, block_seconds=1e-6)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {1}


def test_a_machine_too_busy_to_fill_a_block_still_has_one_pass_in_each():
    seen: list[str] = []
    found = latencies({name: lambda name=name: seen.append(name) for name in "ab"}, blocks=3, block_seconds=0)
    assert seen[2:] == ["a", "b"] * 3  # after one each to warm up
    assert found["a"].ratio == 1.0


def test_the_summary_of_a_network_measures_it_on_one_core(monkeypatch):
    seen: list[int] = []
    forward = Network.forward
    monkeypatch.setattr(Network, "forward", lambda self, x: seen.append(torch.get_num_threads()) or forward(self, x))
    before, sizes = torch.get_num_threads(), [64, 20, 10]
    torch.set_num_threads(2)
    try:
        summary = summarise_network(Network.glorot(sizes, torch.Generator()), full_masks(sizes))
    finally:
        torch.set_num_threads(before)
    assert summary.latency > 0 and set(seen) == {1}
