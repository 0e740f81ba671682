from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from onnxruntime import InferenceSession
from safetensors.numpy import load_file
from sqlalchemy import update

from abp.cli import options, training
from abp.cli.main import main
from abp.data.datasets import load_dataset
from abp.runs.continuation import ORIGINS
from abp.runs.worker import execute
from abp.store.database import StoreUnusable
from abp.store.schema import weights
from abp.store.store import Store
from abp.studies.specification import PRESETS
from abp.training.experiment import Experiment, settings
from abp.training.trainer import Trainer
from tests.disks import fill
from tests.rows import die
from tests.waiting import PATIENCE, wait_until

ROOT = Path(__file__).parents[2]
DIGITS = load_dataset("digits")
FAST = (
    "--dataset", "digits", "--hidden", "20,10", "--learning-rate", "0.1", "--start-accuracy", "0.5",
    "--stop-accuracy", "0.9", "--epochs", "12", "--amount", "0.6", "--prunings", "3",
)  # fmt: skip
KEYS = {
    "run", "dataset", "criterion", "amount", "prunings", "seed", "epochs", "stopped_by", "seconds", "train_accuracy",
    "valid_accuracy", "test_accuracy", "sparsity", "layers", "events",
}  # fmt: skip
LAYER_KEYS = {"name", "shape", "sparsity", "live_neurons", "rank", "nuclear_norm", "activation_frequency"}
EVENT_KEYS = {
    "epoch", "criterion", "requested", "achieved", "by", "train_accuracy", "valid_accuracy_before",
    "valid_accuracy_after", "test_accuracy_before", "test_accuracy_after",
}  # fmt: skip


@pytest.fixture
def run_abp(home, capsys):
    """Run the command line in this process: exit status, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = end.code
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def train(run_abp, tmp_path):
    """Train with these options; the JSON."""

    def run(*options: object) -> dict:
        path = tmp_path / "result.json"
        status, out, err = run_abp("train", *FAST, *options, "--json", path)
        assert (status, out) == (0, ""), err
        return json.loads(path.read_text())

    return run


def start_abp(*arguments: object) -> subprocess.Popen:
    """The command line in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "abp", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def complaint(status: int, out: str, err: str) -> str:
    """The one line that says what was wrong."""
    assert (status, out) == (2, "")
    assert err.startswith("abp: ") and err.count("\n") == 1 and err.endswith("\n"), err
    return err


# train


@pytest.mark.parametrize("criterion", ["magnitude", "activation-neuron", "none"])
def test_the_json_says_what_the_exported_weights_show(criterion, train, run_abp, tmp_path):
    result = train("--criterion", criterion)
    assert result.keys() >= KEYS
    path = tmp_path / "weights.safetensors"
    assert run_abp("export", result["run"], "--weights", path)[0] == 0
    weights = load_file(path)

    assert [layer["name"] for layer in result["layers"]] == ["hidden.0", "hidden.1"]
    assert [layer["shape"] for layer in result["layers"]] == [[64, 20], [20, 10]]  # [inputs, neurons]
    zeros = 0
    for layer in result["layers"]:
        assert layer.keys() >= LAYER_KEYS
        weight = weights[f"{layer['name']}.weight"]  # [neurons, inputs]
        assert weight.shape == tuple(layer["shape"])[::-1]
        assert layer["sparsity"] == pytest.approx((weight == 0).mean(), abs=1e-12)
        assert layer["live_neurons"] == (weight != 0).any(axis=1).sum()
        assert layer["rank"] == np.linalg.matrix_rank(weight)
        assert layer["nuclear_norm"] == pytest.approx(np.linalg.norm(weight.astype(np.float64), "nuc"))
        zeros += (weight == 0).sum()
    assert result["sparsity"] == pytest.approx(zeros / (64 * 20 + 20 * 10), abs=1e-12)

    value = DIGITS.test_x.numpy()
    for name in ("hidden.0", "hidden.1"):
        value = np.maximum(value @ weights[f"{name}.weight"].T + weights[f"{name}.bias"], 0)
    chosen = (value @ weights["output.weight"].T + weights["output.bias"]).argmax(axis=1)
    assert result["test_accuracy"] == pytest.approx((chosen == DIGITS.test_y.numpy()).mean(), abs=1.5 / 360)


@pytest.mark.parametrize("criterion", ["random", "activation-neuron"])
def test_the_json_tells_the_same_story_as_the_trainer(criterion, train):
    result = train("--criterion", criterion, "--seed", 3)
    trainer = Trainer(Experiment.from_json(json.dumps(result["settings"])), DIGITS)
    records = list(trainer.run())
    prunings = [record for record in records if hasattr(record, "achieved")]
    epochs = [record for record in records if not hasattr(record, "achieved")]

    asked = {"dataset": "digits", "criterion": criterion, "amount": 0.6, "prunings": 3, "seed": 3}
    assert {name: result[name] for name in asked} == asked
    assert (result["epochs"], result["stopped_by"]) == (len(epochs), trainer.stopped_by)
    assert result["train_accuracy"] == epochs[-1].train.accuracy
    assert result["valid_accuracy"] == trainer.evaluate("valid").accuracy
    assert result["test_accuracy"] == trainer.evaluate("test").accuracy
    assert result["sparsity"] == trainer.sparsity and result["seconds"] > 0

    for layer, frequency in zip(result["layers"], trainer.activity.frequency(), strict=True):
        assert layer["activation_frequency"] == pytest.approx(frequency.tolist())
        assert len(layer["activation_frequency"]) == layer["shape"][1]
        assert all(0 <= share <= 1 for share in layer["activation_frequency"])

    assert len(result["events"]) == len(prunings) == 3
    for event, pruning in zip(result["events"], prunings, strict=True):
        assert event.keys() >= EVENT_KEYS
        assert (event["epoch"], event["criterion"], event["by"]) == (pruning.epoch, criterion, pruning.by)
        for name in ("requested", "achieved", "train_accuracy"):
            assert event[name] == getattr(pruning, name)
        for split in ("valid", "test"):
            for moment in ("before", "after"):
                metrics = getattr(pruning, f"{split}_{moment}")
                assert event[f"{split}_accuracy_{moment}"] == metrics.accuracy
    assert sum(event["achieved"] for event in result["events"]) == pytest.approx(result["sparsity"])


def test_the_same_seed_gives_the_same_result_and_another_seed_another(train):
    first, again, other = train("--seed", 5), train("--seed", 5), train("--seed", 6)
    for result in (first, again, other):
        del result["run"], result["seconds"]
    assert first == again
    assert first["layers"] != other["layers"]


def test_a_run_of_the_command_line_stands_in_the_store_as_finished(train):
    number = train("--criterion", "random", "--name", "my own run")["run"]
    run = Store().runs.get(number)
    assert (run.name, run.status, run.lane, run.owner) == ("my own run", "finished", "self", None)
    assert len(Store().histories.epochs(number)) == run.epoch > 0
    assert Store().weights.get(number, "final")


def test_every_setting_has_an_option_that_reaches_the_run(train):
    changed = {
        "dataset": "digits", "hidden": [12, 7], "criterion": "random", "amount": 0.3, "prunings": 1,
        "schedule": "layer-by-layer", "scope": "per-layer", "seed": 9,
        "epochs": 2, "batch_size": 50, "learning_rate": 0.02, "optimiser": "sgd", "momentum": 0.5,
        "start_accuracy": 0.1, "stop_accuracy": 0.7, "share_ratio": 0.5, "early_stopping": 1.5, "patience": 4,
        "stalled": "stop", "reset_counts": True, "nuclear": 0.001,
        "nuclear_weights": "index", "nuclear_from": 0.2, "nuclear_every": 10, "nuclear_step": "gradient", "ranks": [],
        "threads": 1,
    }  # fmt: skip
    assert changed.keys() == settings().keys()
    options: list[object] = []
    for name, value in changed.items():
        option = f"--{name.replace('_', '-')}"
        options += (
            [option] if value is True else [option, ",".join(map(str, value)) if isinstance(value, list) else value]
        )
    assert train(*options)["settings"] == changed


def test_ranks_can_be_limited(train):
    result = train("--criterion", "none", "--ranks", "7,3", "--epochs", 2)
    assert result["settings"]["ranks"] == [7, 3]
    assert [layer["rank"] for layer in result["layers"]] == [7, 3]


@pytest.mark.parametrize(
    ("options", "words"),
    [(("--ranks", "7,x"), "'7,x'"), (("--ranks", "7"), "2 numbers"), (("--ranks", "21,3"), "between 0 and 20")],
)
def test_rank_limits_that_cannot_be_are_refused_in_words(options, words, run_abp):
    assert words in complaint(*run_abp("train", *FAST, "--criterion", "none", *options))


# continue


@pytest.mark.parametrize(
    ("options", "origin"),
    [
        (("fine-tune",), "fine-tuned"),
        (("rewind-2", "--learning-rate", 0.02), "rewound to before pruning 2"),
        (("reinitialise", "--seed", 5), "new random weights under the mask"),
        (("svd", "--ranks", "6,4"), "SVD of the same rank"),
    ],
)
def test_a_run_is_continued_from_the_command_line(options, origin, train, run_abp):
    parent = train("--criterion", "magnitude")
    status, out, err = run_abp(
        "continue", parent["run"], "--epochs", 2, "--name", "again", "--json", "-", "--how", *options
    )
    assert status == 0, err
    child = json.loads(out)
    assert (child["parent"], child["origin"], child["epochs"]) == (parent["run"], origin, 2)
    assert (child["status"], child["stopped_by"]) == ("finished", "epochs")
    assert child["sparsity"] == (0 if "svd" in options else parent["sparsity"])
    assert child["settings"]["learning_rate"] == (0.02 if 0.02 in options else 0.1)
    assert child["settings"]["seed"] == (5 if 5 in options else parent["seed"])
    run = Store().runs.get(child["run"])
    assert (run.name, run.lane, run.parent) == ("again", "self", parent["run"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((1, "--how", "polish", "--epochs", 1), "'polish'"),
        ((1, "--how", "svd", "--epochs", 1, "--ranks", "a"), "'a'"),
        ((1, "--how", "fine-tune"), "--epochs"),
        ((1, "--how", "fine-tune", "--epochs", 0), "epochs must be between"),
        ((7, "--how", "fine-tune", "--epochs", 1), "Run 7 does not exist"),
        ((1, "--how", "fine-tune", "--epochs", 1, "--json", "no/such/folder"), "no folder"),
    ],
)
def test_what_cannot_be_continued_is_refused_in_words(options, words, train, run_abp):
    train("--criterion", "random", "--epochs", 1)
    assert words in complaint(*run_abp("continue", *options))
    assert len(Store().runs.all()) == 1


def test_a_dash_writes_only_the_json_to_standard_output(home):
    process = start_abp("train", *FAST, "--criterion", "magnitude", "--json", "-")
    out, err = process.communicate()
    assert process.returncode == 0, err
    result = json.loads(out)
    assert result["run"] == 1 and result["epochs"] > 0
    assert "Run 1: " in err and "Finished after" in err and "accuracy training" in err


def test_a_pipe_may_receive_the_json_and_stays_a_pipe(run_abp, tmp_path):
    pipe, received = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: received.append(pipe.read_text()), daemon=True)
    reader.start()
    assert run_abp("train", *FAST, "--json", pipe)[0] == 0
    reader.join(PATIENCE)
    assert json.loads(received[0])["run"] == 1
    assert pipe.is_fifo()


def test_a_diverged_run_gives_its_json_and_says_so(run_abp):
    options = ("--criterion", "none", "--learning-rate", 10, "--hidden", "300,200,100,50")
    status, out, err = run_abp("train", *FAST, *options, "--json", "-")
    result = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert status == 1
    assert (result["status"], result["stopped_by"], result["layers"]) == ("diverged", "diverged", [])
    assert "diverged" in err and "smaller learning rate" in err


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["train", "--dataset", "cats"], "'cats'"),
        (["train", "--criterion", "beauty"], "'beauty'"),
        (["train", "--optimiser", "hope"], "'hope'"),
        (["train", "--stalled", "cry"], "'cry'"),
        (["train", "--hidden", "300,many"], "'300,many'"),
        (["train", "--hidden", ""], "''"),
        (["train", "--hidden", "0"], "0"),
        (["train", "--hidden", "5000"], "5000"),
        (["train", "--hidden", "1,2,3,4,5,6,7,8,9"], "(1, 2, 3, 4, 5, 6, 7, 8, 9)"),
        (["train", "--amount", "1.5"], "1.5"),
        (["train", "--amount", "-0.1"], "-0.1"),
        (["train", "--amount", "nan"], "nan"),
        (["train", "--amount", "half"], "'half'"),
        (["train", "--prunings", "2.5"], "'2.5'"),
        (["train", "--prunings", "-1"], "-1"),
        (["train", "--seed", "-1"], "-1"),
        (["train", "--seed", "1" + "0" * 30], "1" + "0" * 30),
        (["train", "--epochs", "0"], "0"),
        (["train", "--batch-size", "0"], "0"),
        (["train", "--learning-rate", "inf"], "inf"),
        (["train", "--momentum", "1"], "1.0"),
        (["train", "--momentum", "0.9", "--optimiser", "adam"], "adam"),
        (["train", "--start-accuracy", "0.99"], "0.99"),
        (["train", "--threads", "0"], "0"),
        (["train", "--reset-counts", "maybe"], "maybe"),
        (["train", "--name", " "], "1 to 200 characters"),
        (["train", "--name", "x" * 201], "1 to 200 characters, not 201"),
        (["train", "--speed", "11"], "--speed"),
        (["train", "--seed"], "--seed"),
        (["train", "--json", ""], "--json"),
        (["train", "--json", "/nowhere/result.json"], "/nowhere"),
        (["train", "--json", "/tmp"], "/tmp"),
        (["train", "leftover"], "leftover"),
        (["dance"], "'dance'"),
        ([], "COMMAND"),
        (["export"], "RUN"),
        (["export", "1"], "--weights"),
        (["export", "one", "--weights", "w.safetensors"], "'one'"),
        (["export", "7", "--weights", "w.safetensors"], "Run 7"),
        (["export", "-1", "--weights", "w.safetensors"], "-1"),
        (["export", "9" * 30, "--weights", "w.safetensors"], "9" * 30),
        (["export", "7", "--weights", "/nowhere/w.safetensors"], "/nowhere"),
        (["export", "7", "--weights", ""], "--weights"),
    ],
    ids=" ".join,
)
def test_a_mistake_is_answered_in_one_line_that_names_it_before_anything_is_done(arguments, named, run_abp, home):
    assert named in complaint(*run_abp(*arguments))
    assert Store().runs.all() == []


def test_a_mistake_shows_no_traceback_in_a_process_of_its_own_either(home):
    process = start_abp("train", "--amount", "1.5")
    out, err = process.communicate()
    assert "1.5" in complaint(process.returncode, out, err)


@pytest.mark.parametrize(
    "arguments", [["--help"], *([command, "--help"] for command in options.COMMANDS)], ids=" ".join
)
def test_help_is_there_without_the_packages_that_take_seconds_to_import(arguments, run_abp):
    status, out, err = run_abp(*arguments)
    assert (status, err) == (0, "") and "usage: abp" in out
    assert loaded_by(*arguments) == set()
    if "train" in arguments:
        assert all(f"--{name.replace('_', '-')}" in out for name in settings())
        assert "(default: 300,200,100,50)" in " ".join(out.split())


def test_the_help_of_continue_names_every_way(run_abp):
    _, out, _ = run_abp("continue", "--help")
    assert "{" + ",".join(ORIGINS) + "}" in out


def test_the_help_of_study_names_every_study_and_what_it_is(run_abp):
    _, out, _ = run_abp("study", "--help")
    assert "{" + ",".join(PRESETS) + "}" in out
    assert all(f"{name}: {words}" in " ".join(out.split()) for name, words in PRESETS.items())


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--speed", "11"],
        ["train", "--amount", "1.5"],
        ["train", "--json", "/tmp"],
        ["dance"],
        ["export"],
        ["study", "demo", "--criteria", "beauty"],
        ["dashboard", "--port", "http"],
        ["dashboard", "--port", "0"],
    ],
    ids=" ".join,
)
def test_a_wrong_option_is_answered_without_the_packages_that_take_seconds_to_import(arguments):
    assert loaded_by(*arguments, status=2) == set()


SLOW = ("torch", "numpy", "pandas", "sklearn", "scipy", "distributed", "streamlit", "sqlalchemy", "altair", "onnx")


def loaded_by(*arguments: object, status: int = 0) -> set[str]:
    """Which of these packages the command line has imported when it has answered."""
    program = f"""
import sys
from abp.cli.main import main
try:
    status = main({[str(argument) for argument in arguments]})
except SystemExit as end:
    status = end.code or 0
print()
print(status, *(name for name in {SLOW} if name in sys.modules))
"""
    process = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    found, *names = process.stdout.splitlines()[-1].split()
    assert int(found) == status, process.stderr
    return set(names)


# export


def test_exported_weights_have_the_names_and_shapes_of_the_design(train, run_abp, tmp_path):
    number, path = train()["run"], tmp_path / "weights.safetensors"
    path.write_text("something old")
    status, out, err = run_abp("export", number, "--weights", path)
    assert (status, out) == (0, "") and str(path) in err
    tensors = load_file(path)
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        "hidden.0.weight": (20, 64), "hidden.0.bias": (20,),
        "hidden.1.weight": (10, 20), "hidden.1.bias": (10,),
        "output.weight": (10, 10), "output.bias": (10,),
    }  # fmt: skip
    assert all(tensor.dtype == np.float32 for tensor in tensors.values())
    assert os.listdir(tmp_path).count("weights.safetensors") == 1
    assert not list(tmp_path.glob(".*"))  # no half-written file


def test_recorded_weights_are_exported_without_pytorch(train, tmp_path):
    number = train()["run"]
    assert "torch" not in loaded_by("export", number, "--weights", tmp_path / "weights.safetensors")
    assert (tmp_path / "weights.safetensors").read_bytes() == Store().weights.get(number, "final")


@pytest.mark.parametrize("options", [(), ("--compact",)], ids=str)
def test_damaged_weights_are_not_exported(options, train, run_abp, tmp_path):
    number, path, store = train()["run"], tmp_path / "weights.safetensors", Store()
    cut_short = (store.weights.get(number, "final") or b"")[:-100]
    with store.transaction() as connection:
        connection.execute(update(weights).where(weights.c.moment == "final").values(tensors=cut_short))
    line = complaint(*run_abp("export", number, "--weights", path, *options))
    assert f"weights of run {number} are damaged" in line
    assert not path.exists()


def test_a_compacted_network_has_only_live_neurons_and_the_same_outputs(train, run_abp, tmp_path, monkeypatch):
    number = train("--criterion", "activation-neuron")["run"]
    monkeypatch.chdir(tmp_path)
    status, _, err = run_abp("export", number, "--compact")
    assert status == 0 and "largest difference" in err
    whole, small = tmp_path / "whole.safetensors", tmp_path / f"run-{number}-compact.safetensors"
    assert run_abp("export", number, "--weights", whole)[0] == 0
    whole, small = load_file(whole), load_file(small)
    assert [len(small[f"hidden.{layer}.bias"]) for layer in range(2)] == [
        int(whole[f"hidden.{layer}.weight"].any(axis=1).sum()) for layer in range(2)
    ]
    expected = outputs(whole, DIGITS.test_x.numpy())
    np.testing.assert_allclose(outputs(small, DIGITS.test_x.numpy()), expected, atol=1e-4)
    session = InferenceSession(str(tmp_path / f"run-{number}-compact.onnx"))
    (found,) = session.run(None, {"pixels": DIGITS.test_x.numpy()})
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_whole_network_can_be_written_as_onnx(train, run_abp, tmp_path):
    number = train()["run"]
    assert run_abp("export", number, "--onnx", tmp_path / "n.onnx", "--weights", tmp_path / "n.safetensors")[0] == 0
    expected = outputs(load_file(tmp_path / "n.safetensors"), DIGITS.test_x.numpy())
    (found,) = InferenceSession(str(tmp_path / "n.onnx")).run(None, {"pixels": DIGITS.test_x.numpy()})
    np.testing.assert_allclose(found, expected, atol=1e-4)


def outputs(tensors: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """Logits by NumPy alone, in float64."""
    for layer in range(2):
        weight, bias = tensors[f"hidden.{layer}.weight"], tensors[f"hidden.{layer}.bias"]
        x = np.maximum(x @ weight.astype(np.float64).T + bias, 0)
    return x @ tensors["output.weight"].T + tensors["output.bias"]


def test_a_history_is_written_for_tensorboard_beside_others(train, run_abp, tmp_path):
    number = train()["run"]
    status, _, err = run_abp("export", number, "--tensorboard", tmp_path, "--weights", tmp_path / "w.safetensors")
    assert status == 0 and f"tensorboard --logdir {tmp_path}" in err
    assert list((tmp_path / f"run-{number}").glob("events.out.tfevents.*"))
    assert (tmp_path / "w.safetensors").is_file()
    assert "already" in complaint(*run_abp("export", number, "--tensorboard", tmp_path))


def test_a_run_without_history_has_nothing_for_tensorboard(run_abp, tmp_path):
    number = Store().runs.add(Experiment())
    assert "no history" in complaint(*run_abp("export", number, "--tensorboard", tmp_path))
    assert not list(tmp_path.glob("run-*"))


def test_a_run_without_final_weights_cannot_be_exported(run_abp, tmp_path):
    number = Store().runs.add(Experiment())
    path = tmp_path / "weights.safetensors"
    line = complaint(*run_abp("export", number, "--weights", path))
    assert f"run {number} has no final weights" in line and "queued" in line
    assert not path.exists()


# Trouble


@pytest.mark.parametrize("epochs", [1, 6])
def test_control_c_leaves_the_run_interrupted_and_says_how_to_go_on(epochs, home):
    endless = ("--criterion", "none", "--epochs", 10_000, "--stop-accuracy", 1, "--patience", 0)
    process = start_abp("train", *FAST, *endless, "--json", "-")
    store = Store()
    try:
        wait_until(lambda: any(run.epoch >= epochs for run in store.runs.all()), "for training to begin")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, out) == (130, "")
    assert "Interrupted. Run 1 can be resumed" in err and "Traceback" not in err
    run = store.runs.get(1)
    assert (run.status, run.owner) == ("interrupted", None)

    store.commands.add(1, "stop")
    assert execute(store, 1, "a worker of the dashboard")
    assert store.runs.get(1).status == "stopped" and store.weights.get(1, "final")


def test_a_run_deleted_while_it_trains_ends_with_a_sentence(run_abp, monkeypatch):
    def delete_it(store, number, *rest, **options) -> bool:
        return execute(store, number, *rest, **{**options, "report": lambda progress: store.runs.delete(number)})

    monkeypatch.setattr(training, "execute", delete_it)
    status, out, err = run_abp("train", *FAST, "--json", "-")
    assert (status, out) == (2, "")
    assert "Run 1 does not exist or was deleted" in err and "Traceback" not in err


def test_a_damaged_database_gives_a_sentence_and_is_left_alone(run_abp, home):
    home.mkdir()
    path = home / "abp.sqlite3"
    path.write_bytes(b"not a database at all " * 1000)
    before = path.read_bytes()
    for arguments in (["train", *FAST], ["export", "1", "--weights", "w.safetensors"]):
        line = complaint(*run_abp(*arguments))
        assert str(path) in line and "ABP_HOME" in line
    assert path.read_bytes() == before


def test_a_home_that_is_no_folder_gives_a_sentence(run_abp, home):
    home.write_text("a file")
    line = complaint(*run_abp("train", *FAST))
    assert str(home) in line and "ABP_HOME" in line


def test_a_disk_that_becomes_full_in_mid_run_gives_a_sentence_and_the_run_can_be_resumed(
    run_abp, small_disk, monkeypatch
):
    monkeypatch.setenv("ABP_HOME", str(small_disk))
    monkeypatch.setattr("abp.store.database.PATIENCE", 1.0)
    store = Store()
    filler = fill(small_disk, leave=200_000)
    status, out, err = run_abp("train", *FAST, "--prunings", 30, "--json", "-")
    assert (status, out) == (2, "")
    assert err.splitlines()[-1].startswith(f"abp: The disk that holds {store.path} is full.")
    assert "Traceback" not in err
    filler.unlink()
    die(store, 1)
    store.commands.add(1, "resume")
    assert execute(store, 1, "a worker of the dashboard")
    assert store.runs.get(1).status == "finished"


def test_a_result_that_cannot_be_written_gives_a_sentence_and_leaves_no_half_file(run_abp, small_disk):
    filler = fill(small_disk)
    status, out, err = run_abp("train", *FAST, "--json", small_disk / "result.json")
    assert (status, out) == (2, "")
    assert "cannot be written: No space left" in err.splitlines()[-1] and "Traceback" not in err
    assert os.listdir(small_disk) == [filler.name]
    assert Store().runs.get(1).status == "finished"  # the run itself is safe


def test_a_database_of_another_version_is_not_used(run_abp, home):
    with Store().transaction() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '999'")
    with pytest.raises(StoreUnusable):
        Store()
    assert "a newer version of ABP Lab (schema 999)" in complaint(*run_abp("train", *FAST))
