"""The section on networks without their dead neurons: files, sizes, latencies."""

from __future__ import annotations

import dataclasses

import torch
from streamlit.testing.v1 import AppTest

from abp.analysis.cost import cost
from abp.analysis.latency import latencies
from abp.network.masks import full_masks
from abp.runs.export import compact
from abp.store.snapshots import recorded_masks
from tests.dashboard.opening import PRUNED, open_page, settled
from tests.recordings import trained


def open_weights(run: int) -> AppTest:
    return settled(open_page("weights", run=run))


def test_the_page_measures_dense_masked_and_compacted_and_offers_the_files(store):
    run = store.runs.get(trained(store, PRUNED))
    page = open_weights(run.id)
    compacted = compact(store, run)
    assert f"**{' – '.join(map(str, compacted.network.sizes))}**" in " ".join(text.value for text in page.markdown)
    table = page.dataframe[-1].value
    assert table["Network"].tolist() == ["dense", "masked", "compacted"]
    sizes = run.experiment.sizes
    whole, pruned = cost(sizes, full_masks(sizes)), cost(sizes, recorded_masks(store, run, run.prunings))
    assert table["Bytes"].tolist() == [whole.bytes_dense, pruned.bytes_masked, pruned.bytes_compacted]
    left = compacted.network.sizes
    assert table["FLOPs"].tolist() == [whole.flops, pruned.flops, 2 * (left[0] * left[1] + left[1] * left[2])]
    for batch in ("1", "1,024"):
        assert table[f"Batch {batch}: relative to dense"][0] == 1.0
        assert (table[f"Batch {batch}: time"] > 0).all()
    labels = {button.proto.label for button in page.get("download_button")}
    assert {"Download as safetensors", "Download as ONNX"} <= labels


def test_a_network_that_would_compute_something_else_is_not_offered(store, monkeypatch):
    run = trained(store, PRUNED)
    monkeypatch.setattr("abp.runs.export.TOLERANCE", -1.0)
    page = open_weights(run)
    assert "differ by up to" in page.error[0].value
    assert "Compacted network (ONNX)" not in {button.proto.label for button in page.get("download_button")}


def test_a_run_without_its_end_is_not_offered_smaller(store):
    queued = store.runs.add(dataclasses.replace(PRUNED, seed=1))
    page = open_weights(queued)
    assert "Compacted network" not in {heading.value for heading in page.subheader}


def test_latencies_count_every_pass_and_are_relative_to_the_first():
    calls = {"one": 0, "other": 0}

    def count(name: str) -> None:
        calls[name] += 1
        torch.rand(50).sum()

    measured = latencies({name: lambda name=name: count(name) for name in calls})
    assert list(measured) == ["one", "other"] and min(calls.values()) > 15
    assert measured["one"].ratio == 1.0 and measured["other"].seconds > 0
