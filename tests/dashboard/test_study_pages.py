"""The Compare and Claims pages: from starting a study to its verdicts, exports read back."""

from __future__ import annotations

import dataclasses
import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import update

from abp.analysis.claims import CLAIMS, Case, better_than, effective
from abp.analysis.paired_statistics import t_interval
from abp.dashboard.studies.charts import accuracies_title, means, named
from abp.dashboard.studies.claims import aside, intervals, overview
from abp.dashboard.studies.compare import more_of, progress_words
from abp.dashboard.studies.findings import conclusions
from abp.dashboard.studies.report import report
from abp.store import schema
from abp.store.repositories.studies import Studies
from abp.store.store import Store
from abp.studies.comparison import read_results, run_table
from abp.studies.comparison import table as cell_table
from abp.studies.registry import extend_study, read_study, start_study, studies, study_progress, study_record
from abp.studies.specification import Study
from abp.studies.verdicts import verdicts
from abp.training.experiment import Experiment
from benchmarks.thousand import thousand_runs
from tests.dashboard.opening import again, open_page, settled, words
from tests.recordings import finish, trained

BASE = Experiment(hidden=(12, 8), epochs=3, start_accuracy=0.0, stop_accuracy=1.0, patience=0, learning_rate=0.05)
SMALL = Study(
    datasets=("digits",),
    criteria=("none", "activation", "activation-neuron", "magnitude"),
    amounts=(0.5,),
    seeds=(0, 1, 2),
    prunings=1,
    base=BASE,
)


def drawn(block) -> Iterator[str]:
    """What stands on a page, in order: headings, expanders, buttons by their keys, and the kinds of all else."""
    for child in block.children.values():
        if child.type == "expander":
            yield child.label
        elif child.type in ("header", "subheader"):
            yield child.value
        elif child.type == "button":
            yield child.key or child.label
        elif not hasattr(child, "children"):
            yield child.type
        if hasattr(child, "children"):
            yield from drawn(child)


def train_all(store: Store) -> None:
    for run in store.runs.queued():
        finish(store, run.id)


@pytest.fixture
def finished(store) -> int:
    number = start_study(store, SMALL)
    train_all(store)
    return number


def test_without_a_study_the_pages_offer_to_start_one(store):
    page = open_page("compare")
    assert "no studies yet" in words(page) and page.expander[0].proto.expanded
    assert "35 runs" in words(page)
    assert "no studies yet" in words(open_page("claims"))


def test_a_study_of_a_thousand_runs_opens_and_counts_them_all(store):
    number = thousand_runs(store)
    page = settled(open_page("compare", study=number))
    assert "1003 of 1003 runs done" in page.get("progress")[0].proto.text
    table = next(frame.value for frame in page.dataframe if "Method" in frame.value)
    assert len(table) == 17 and (table["Seeds"] == 59).all()
    assert len(settled(open_page("runs")).dataframe[0].value) == 1003


def test_a_study_is_started_by_the_form_once_however_often_it_is_asked_for(store):
    page = open_page("compare")
    next(box for box in page.number_input if box.label == "Seeds").set_value(2)
    page.run()
    assert "14 runs" in words(page)
    for _ in range(2):
        next(button for button in page.button if button.label == "Start the study").click()
        page.run()
        assert not page.exception
    assert len(studies(store)) == 1 and len(store.runs.queued()) == 14
    assert "0 of 14 runs done" in page.get("progress")[0].proto.text


def test_wrong_amounts_are_refused_in_words(store):
    page = open_page("compare")
    for text, complaint in (("80, lots", "not “80, lots”"), ("120", "not “120”"), ("", "such as 80, 90")):
        next(box for box in page.text_input if box.label == "Shares to remove, %").set_value(text)
        page.run()
        assert complaint in words(page), text
        assert next(button for button in page.button if button.label == "Start the study").disabled


@pytest.mark.parametrize("page", ["compare", "claims"])
def test_one_draw_reads_the_study_and_its_runs_once(page, finished, monkeypatch):
    reads = []
    for name in ("get", "runs"):
        read = getattr(Studies, name)
        monkeypatch.setattr(Studies, name, lambda *given, name=name, read=read: (reads.append(name), read(*given))[1])
    assert not open_page(page, study=finished).exception
    assert sorted(reads) == ["get", "runs"]


def test_a_finished_study_is_told_in_sentences_charts_and_tables(store, finished):
    page = settled(open_page("compare", study=finished))
    text = words(page)
    assert "Handwritten digits" in text and "weights by activation, 50\u00a0%" in text and "3 seeds" in text
    assert len(page.get("vega_lite_chart")) == 4
    table = page.dataframe[0].value
    assert table["Method"].tolist() == [
        "dense", "weights by activation", "neurons by activation", "weights by magnitude"
    ]  # fmt: skip
    runs = run_table(read_results(store, finished))
    for name, row in zip(SMALL.criteria, table.to_dict("records"), strict=True):
        accuracies = runs[runs["criterion"] == name]["test_accuracy"]
        assert row["Test accuracy"] == pytest.approx(100 * accuracies.mean())
        assert row["±"] == pytest.approx(100 * accuracies.std(ddof=1))
    assert page.get("progress")[0].proto.text == "12 of 12 runs done"


def test_the_answer_comes_first_and_what_adds_to_the_study_last(store, finished):
    page = settled(open_page("compare", study=finished))
    order = list(drawn(page.main))
    progress, answer = order.index("progress"), order.index("What it shows")
    assert 0 < order.index("rename-study") - progress < answer - progress < 12
    assert answer < order.index("Accuracy by method") < order.index("Add seeds or methods")
    assert "Accuracy and sparsity" not in order  # there is one amount only
    assert "several seeds (other random starting weights)" in words(page)
    assert "Dense network: nothing removed" in words(page)


def test_many_amounts_are_drawn_against_sparsity_and_the_title_says_so():
    runs = pd.DataFrame({"method": ["dense", "a", "a", "a"], "amount": [0.0, 0.5, 0.8, 0.9]})
    assert accuracies_title(runs) == "Accuracy and sparsity"
    assert accuracies_title(runs[:3]) == accuracies_title(runs[:1]) == "Accuracy by method"


@pytest.mark.parametrize("file", ["compare", "claims"])
def test_numbers_have_a_true_minus_and_stay_with_their_percent_sign(store, finished, file):
    page = settled(open_page(file, study=finished))
    said = [text.value for text in (*page.markdown, *page.caption) if "Terms on this page" not in text.value]
    for frame in page.dataframe:
        said += frame.value.astype(str).to_numpy().ravel().tolist()
    assert said and [text for text in said if re.search(r"(?<![\w-])-\d|\d %", text)] == []


def test_a_study_can_be_paused_gone_on_with_and_extended(store):
    number = start_study(store, SMALL)
    page = settled(open_page("compare", study=number))
    page = settled(next(button for button in page.button if button.label == "Pause").click().run())
    assert study_record(store, number).paused and store.runs.queued() == []
    assert "paused" in page.get("progress")[0].proto.text
    page = settled(next(button for button in page.button if button.label == "Resume").click().run())
    assert not study_record(store, number).paused and len(store.runs.queued()) == 12
    seeds = [box for box in page.number_input if box.label == "Seeds"][-1]
    page = settled(seeds.set_value(4).run())
    settled(next(button for button in page.button if button.label == "Extend the study").click().run())
    assert study_record(store, number).study.seeds == (0, 1, 2, 3) and len(store.runs.queued()) == 16


def test_more_seeds_are_the_lowest_that_are_not_there():
    assert more_of(dataclasses.replace(SMALL, seeds=(0, 2)), 4, ["random"]).seeds == (0, 2, 1, 3)
    assert more_of(SMALL, 3, ["random"]).criteria[-1] == "random"


def test_what_went_wrong_is_counted_and_shown(store):
    wild = dataclasses.replace(BASE, hidden=(20,) * 8, learning_rate=10.0, batch_size=1)
    number = start_study(store, dataclasses.replace(SMALL, seeds=(0,), base=wild))
    train_all(store)
    now = study_progress(store, number, workers=2)
    assert now.diverged and f"{now.diverged} diverged" in progress_words(now, paused=False)
    assert f"{now.diverged} diverged" in settled(open_page("compare", study=number)).get("progress")[0].proto.text


@pytest.mark.parametrize(
    ("differences", "sentence"),
    [
        ([0.010, 0.011, 0.009, 0.010, 0.012], "More accurate than the dense network"),
        ([-0.010, -0.011, -0.009, -0.010, -0.012], "Less accurate than pruning by magnitude"),
        ([-0.010, 0.011, -0.009, 0.010, 0.001], "No significant difference from the dense network"),
        ([0.010, 0.024, 0.006, 0.022, 0.001], "but not beyond chance after the correction"),
        ([0.010, 0.010, 0.010, 0.010], "but 4 seeds are too few to tell; it takes 5"),
        ([0.010], "with only one seed"),
    ],
)
def test_the_sentence_says_no_more_than_the_seeds(differences, sentence):
    interval = dataclasses.asdict(t_interval(differences))
    flat = {f"difference_from_{other}_{part}": value for other in ("dense", "magnitude") for part, value in
            interval.items()}  # fmt: skip
    row = {"dataset": "digits", "criterion": "activation", "amount": 0.8} | flat
    (found,) = conclusions(pd.DataFrame([row]))
    assert sentence in found and found.count("accurate than") <= 2


def test_the_sentences_tell_of_about_80_per_cent_and_of_the_most_that_was_removed():
    nothing = {f"difference_from_{other}_{part}": 0.01 if part == "mean" else 5 if part == "n" else None for other in
               ("dense", "magnitude") for part in ("mean", "low", "high", "n")}  # fmt: skip
    row = {"dataset": "digits", "criterion": "activation"} | nothing
    found = conclusions(pd.DataFrame([row | {"amount": amount} for amount in (0.5, 0.75, 0.9, 0.97)]))
    assert [re.search(r"(\d+)\xa0%\*\*", sentence).group(1) for sentence in found] == ["75", "97"]


def test_the_tables_are_made_again_when_equal_training_has_ended(store, finished):
    def columns() -> set[str]:
        page = settled(open_page("compare", study=finished))
        return {name for table in page.dataframe for name in table.value.columns}

    run = next(member.run.id for member in read_study(store, finished).members if member.cell.criterion != "none")
    store.baselines.save(run, {"pca": 0.5, "svd": 0.5})
    assert {"Against PCA", "Against SVD"} <= columns() and "Against PCA, equally trained" not in columns()
    store.baselines.save(run, {"dense-tuned": 0.6, "pca-tuned": 0.6, "svd-tuned": 0.6})
    assert "Against PCA, equally trained" in columns()


def test_whole_neurons_are_compared_with_neurons_and_the_budget_of_single_weights_is_named():
    nothing = {"mean": None, "low": None, "high": None, "n": 0}
    values = {
        "dense": {"mean": -0.02, "low": -0.05, "high": 0.01, "n": 5},
        "magnitude": {"mean": -0.02, "low": -0.03, "high": -0.01, "n": 5},
        "magnitude_neuron": {"mean": 0.02, "low": 0.01, "high": 0.03, "n": 5},
    }
    flat = {f"difference_from_{other}_{part}": value for other, of in values.items() for part, value in of.items()}
    row = {"dataset": "digits", "criterion": "activation-neuron", "amount": 0.8} | flat
    (sentence,) = conclusions(pd.DataFrame([row]))
    assert "More accurate than pruning neurons by magnitude" in sentence
    assert "Less accurate than pruning single weights by magnitude, which can keep every neuron" in sentence
    without = row | {f"difference_from_magnitude_neuron_{part}": value for part, value in nothing.items()}
    assert "neurons by magnitude" not in conclusions(pd.DataFrame([without]))[0]


def test_means_and_intervals_of_the_chart_are_scipys(store, finished):
    from scipy import stats

    runs = named(run_table(read_results(store, finished)))
    for row in means(runs).itertuples():
        values = runs[runs["method"] == row.method]["test_accuracy"].to_numpy()
        expected = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
        half = max(expected[1] - row.mean, 1 / 720) if np.ptp(values) else 1 / 720
        assert (row.low, row.high) == pytest.approx((row.mean - half, row.mean + half))
        assert row.mean == pytest.approx(values.mean()) and row.seeds == 3


def test_the_report_holds_everything_itself(store, finished):
    found = read_results(store, finished)
    runs, cells = run_table(found), cell_table(found)
    page = report(study_record(store, finished), runs, cells, found, conclusions(cells)).decode()
    assert page.count("<svg") == 3
    assert not re.search(r'(src|href)="(?!#)', re.sub(r'xlink:href="#[^"]*"', "", page))
    assert html.escape(study_record(store, finished).name) in page
    _, _, every_run = page.partition("All runs")
    rows = [re.findall(r"<td>(.*?)</td>", row) for row in every_run.split("<tr>")[1:]]
    columns = re.findall(r"<th>(.*?)</th>", every_run)
    shown = [float(row[columns.index("test_accuracy")]) for row in rows if row]
    assert shown == pytest.approx(runs["test_accuracy"].tolist(), abs=1e-4) and len(shown) == 12


def test_the_report_is_made_at_a_click_and_offered(store, finished):
    page = settled(open_page("compare", study=finished))
    page = settled(next(button for button in page.button if button.label == "Create a report").click().run())
    assert "Download report (HTML)" in {button.proto.label for button in page.get("download_button")}


def test_the_claims_are_judged_with_thresholds_that_can_be_changed(store, finished):
    page = settled(open_page("claims", study=finished))
    assert len(page.subheader) >= 4
    text = words(page)
    assert "No seed has a pruned network and PCA" in text  # claim 3 waits for its baselines
    page = settled(next(button for button in page.button if button.label.startswith("Compute PCA")).click().run())
    assert "No seed has a pruned network and PCA" not in words(page)
    assert not any(button.label.startswith("Compute PCA") for button in page.button)
    # Three seeds are too few for any verdict; two more decide claim 1 where any loss counts as effective.
    assert "Too few seeds: 3 of the 5" in words(page)
    extend_study(store, finished, SMALL.extended(seeds=(3, 4)))
    train_all(store)
    page = settled(open_page("claims", study=finished))
    loss = next(box for box in page.number_input if box.label.startswith("Acceptable loss"))
    page = settled(loss.set_value(100.0).run())
    badges = [text.value for text in page.markdown if "badge" in text.value]
    assert any("supported" in badge and "not supported" not in badge for badge in badges[1:3])
    assert "green-badge" in badges[0].splitlines()[0]  # and the overview says the same


def test_the_claims_begin_with_the_answer_and_end_with_how_it_is_reached(store, finished):
    page = settled(open_page("claims", study=finished))
    assert page.header[0].value == "In short"
    lines = next(text.value for text in page.markdown if "badge" in text.value).splitlines()
    assert [line.split("](")[0] for line in lines] == [f"{claim}. [{words}" for claim, words in CLAIMS.items()]
    assert [line.split("](#")[1].split(")")[0] for line in lines] == [part.proto.anchor for part in page.subheader if
                                                                      part.value[:1].isdigit()]  # fmt: skip
    assert all("weights by activation: undecided" in line for line in lines[:4])
    assert "better than weights by magnitude: undecided" in lines[4]
    assert "holds both answers" in words(page)
    (how,) = (part for part in page.expander if part.label == "How verdicts are reached")
    assert not how.proto.expanded and len(how.number_input) == 2 and "Holm" in how.caption[0].value


def test_the_overview_counts_the_cases_of_a_method():
    judged = [
        better_than(
            Case("digits", "activation", amount), dict.fromkeys(range(5), own), dict.fromkeys(range(5), 0.9), of
        )
        for amount, own, of in ((0.5, 0.95, "magnitude"), (0.8, 0.85, "magnitude"), (0.8, 0.95, "random"))
    ]
    assert "−5.00 points (95\u00a0% interval −5." in judged[1].words
    line = overview(judged)[4]
    assert "better than weights by magnitude: supported in 1 of 2" in line
    assert "better than weights by magnitude: not supported in 1 of 2" in line
    assert "better than at random: supported]" in line
    assert intervals(judged)["case"].tolist()[1:] == ["80\u00a0%, weights by magnitude", "80\u00a0%, at random"]
    assert overview(judged)[0].endswith("nothing to compare with in this study")


def test_a_chart_of_evidence_names_what_all_its_marks_show(store, finished):
    page = settled(open_page("claims", study=finished))
    specs = [chart.proto.spec for chart in page.get("vega_lite_chart")]
    assert "difference in test accuracy, points" in specs[0] and "difference in sum of ranks" in specs[1]


def test_what_claim_4_needs_is_trained_at_one_click(store, finished):
    page = settled(open_page("claims", study=finished))
    button = next(button for button in page.button if button.label.startswith("Train the"))
    assert button.label.endswith("9 missing runs")
    settled(button.click().run())
    assert len(store.runs.queued()) == 9 and all(run.experiment.nuclear for run in store.runs.queued())


def test_every_verdict_stands_in_one_table_that_can_be_taken_along(store, finished):
    page = settled(open_page("claims", study=finished))
    table = page.dataframe[-1].value
    judged = verdicts(read_results(store, finished))
    assert table["Verdict"].tolist() == [verdict.verdict for verdict in judged]
    assert {"Difference", "p, corrected", "More seeds", "Test set's error"} <= set(table.columns)
    assert {"Markdown", "LaTeX"} <= {button.proto.label for button in page.get("download_button")}
    assert "Claim 4 takes seeds 0 to 11" in words(page)


def test_a_study_from_before_the_rules_says_what_its_verdicts_were(store, finished):
    two_equal = effective(Case("digits", "activation", 0.8), {0: 0.9, 1: 0.9}, {0: 0.9, 1: 0.9}, {})
    assert "this was *supported*" in aside(two_equal, old=True) and "supported" not in aside(two_equal)
    assert "judged seed by seed" not in words(settled(open_page("claims", study=finished)))
    with store.database.writing() as connection:
        connection.execute(update(schema.studies).values(created=datetime(2026, 11, 24, tzinfo=UTC).timestamp()))
    said = words(settled(open_page("claims", study=finished)))
    assert "Until 25 November 2026 this was judged seed by seed" in said
    assert "Until 25 November 2026 the regulariser's strength was chosen by the spectra" in said


@pytest.mark.parametrize("file", ["compare", "claims"])
def test_an_unknown_study_is_said_to_be_unknown(store, file):
    assert "Study 99 does not exist" in words(open_page(file, study=99))
    assert "“abc” is not the number of a study" in words(open_page(file, study="abc"))


def test_a_study_that_cannot_be_read_says_so_and_can_be_deleted(store):
    store.studies.add("broken", SMALL.to_json().replace('"digits"', '"no-such-data"', 1))
    page = open_page("compare", study=1)
    assert "cannot be read here: datasets must be among" in words(page) and "'no-such-data'" in words(page)
    page.button(key="delete-study").click()
    assert "Delete the study" in [button.label for button in again(page).button]


def test_a_run_of_a_study_can_be_deleted_and_is_missing_then(store, finished):
    store.runs.delete(store.runs.all()[0].id)
    assert "1 missing" in settled(open_page("compare", study=finished)).get("progress")[0].proto.text


def test_a_run_of_another_kind_does_not_disturb(store, finished):
    trained(store, dataclasses.replace(BASE, criterion="random", hidden=(5,)))
    assert settled(open_page("compare", study=finished)).get("progress")[0].proto.text == "12 of 12 runs done"
