"""The tables of the store, on SQLite and on PostgreSQL."""

from enum import StrEnum

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Enum,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

from abp.store.records import CommandKind, Lane, Status

VERSION = 12
"""Raise it with every change below, and add a step to `abp.store.migrations`."""

OLDEST = 4
"""Databases from this version on are migrated when they are opened; any other one is refused, never touched."""

metadata = MetaData()

whole = BigInteger().with_variant(Integer, "sqlite")
"""Whole numbers up to 2^63; SQLite has one kind only, which it must be called by to number rows."""

schema = Table("alembic_version", metadata, Column("version_num", String(32), primary_key=True))


def _enum(values: type[StrEnum], length: int) -> Enum:
    """Text of at most this length, which is one of these values."""
    return Enum(
        values, native_enum=False, length=length, values_callable=lambda members: [str(each) for each in members]
    )


def _run() -> Column:
    return Column("run", ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)


runs = Table(
    "runs",
    metadata,
    Column("id", whole, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("settings", Text, nullable=False),  # Experiment.to_json
    Column("status", _enum(Status, 20), nullable=False, index=True),
    Column("lane", _enum(Lane, 10), nullable=False),
    Column("keep", String(10), nullable=False),  # "all" weights, or the "ends" only
    Column("held", Boolean, nullable=False, default=False),  # a person paused it
    Column("pace", Float),  # epochs a second; null: as fast as it goes
    Column("created", Float, nullable=False),  # times are seconds since 1970, UTC
    Column("started", Float),
    Column("finished", Float),
    Column("seconds", Float, nullable=False, default=0.0),  # spent on it by workers, pauses left out
    Column("regulariser_seconds", Float, nullable=False, default=0.0),  # of these, on the nuclear norm
    Column("owner", String(100)),  # the worker that has it
    Column("lease", Float),  # until when, unless renewed
    Column("claims", whole, nullable=False, server_default="0"),  # how often a worker took it
    Column("deaths", whole, nullable=False, server_default="0"),  # of workers that had it, since its last checkpoint
    Column("processor", String(200)),  # kind of the one that trained it last: others may compute other bits
    Column("stopped_by", String(30)),
    Column("message", Text),  # what went wrong, for people
    # How far it is; the history is in the tables below.
    Column("epoch", whole, nullable=False, default=0),
    Column("prunings", whole, nullable=False, default=0),  # made so far
    Column("scheduled_left", whole, nullable=False, default=0),
    Column("pruned_by_hand", Boolean, nullable=False, default=False),
    Column("sparsity", Float, nullable=False, default=0.0),
    Column("train_accuracy", Float),
    Column("valid_accuracy", Float),
    Column("test_accuracy", Float),
    # Of a run that continues another one: which, perhaps deleted since, and what was made of it, in words.
    Column("parent", whole),
    Column("origin", String(60)),
    sqlite_autoincrement=True,  # the id of a deleted run, which links may hold, is not given to another
)

epochs = Table(
    "epochs",
    metadata,
    _run(),
    Column("epoch", whole, primary_key=True),
    Column("train_loss", Float, nullable=False),
    Column("train_accuracy", Float, nullable=False),
    Column("valid_loss", Float, nullable=False),
    Column("valid_accuracy", Float, nullable=False),
    Column("test_loss", Float, nullable=False),
    Column("test_accuracy", Float, nullable=False),
    Column("sparsity", Float, nullable=False),
    Column("seconds", Float, nullable=False),  # of the run so far
    Column("samples", whole, nullable=False),
    Column("counts", LargeBinary, nullable=False),  # uint32 [all hidden neurons]: activations in this epoch
    Column("predictions", LargeBinary),  # uint16: classes of the first test samples, at its end
)

prunings = Table(
    "prunings",
    metadata,
    _run(),
    Column("number", whole, primary_key=True),  # 1, 2, ...
    Column("epoch", whole, nullable=False),
    Column("batch", whole, nullable=False),
    Column("criterion", String(50), nullable=False),
    Column("made_by", String(20), nullable=False),
    Column("requested", Float, nullable=False),
    Column("achieved", Float, nullable=False),
    Column("sparsity", Float, nullable=False),
    Column("weights_removed", whole, nullable=False),
    Column("neurons_removed", whole, nullable=False),
    Column("train_accuracy", Float, nullable=False),
    Column("valid_accuracy_before", Float, nullable=False),
    Column("valid_accuracy_after", Float, nullable=False),
    Column("test_accuracy_before", Float, nullable=False),
    Column("test_accuracy_after", Float, nullable=False),
    Column("masks", LargeBinary, nullable=False),  # masks.pack of the masks afterwards
    Column("live_weights", LargeBinary, nullable=False),  # uint32 [all hidden neurons], afterwards
    Column("spectra_before", LargeBinary, nullable=False),  # float64: singular values of the hidden layers, joined
    Column("spectra_after", LargeBinary, nullable=False),
    Column("predictions", LargeBinary),  # as of an epoch, afterwards
)

frames = Table(
    "frames",
    metadata,
    _run(),
    Column("epoch", whole, nullable=False),
    Column("batch", whole, nullable=False),
    Column("number", whole, nullable=False, server_default="0"),  # rises with every frame of a run
    Column("made", Float, nullable=False, server_default="0"),
    Column("batches", whole, nullable=False),
    Column("rate", Float, nullable=False),  # samples a second
    Column("train_loss", Float, nullable=False),
    Column("train_accuracy", Float, nullable=False),
    Column("samples", whole, nullable=False),
    Column("counts", LargeBinary, nullable=False),  # since the start
    Column("epoch_samples", whole, nullable=False),
    Column("epoch_counts", LargeBinary, nullable=False),
    Column("live_weights", LargeBinary, nullable=False),
    Column("sparsity", Float, nullable=False, server_default="0"),
    Column("recent_samples", whole, nullable=False, server_default="0"),
    Column("recent_counts", LargeBinary),  # of the newest thousand samples or so
)

watches = Table(  # runs that somebody watches now
    "watches",
    metadata,
    _run(),
    Column("until", Float, nullable=False),  # unless marked again
)

commands = Table(
    "commands",
    metadata,
    Column("id", whole, primary_key=True),
    Column("run", ForeignKey("runs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", _enum(CommandKind, 10), nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("created", Float, nullable=False),
    Column("settled", Float),  # null: still to be done
    Column("epoch", whole),  # where it took effect
    Column("batch", whole),
    Column("outcome", Text),  # what came of it, for people
    sqlite_autoincrement=True,
)

weights = Table(
    "weights",
    metadata,
    _run(),
    Column("moment", String(20), primary_key=True),  # "initial", "before-1", ..., "final"
    Column("tensors", LargeBinary, nullable=False),  # safetensors
)

starts = Table(  # what a run that continues another one starts from
    "starts",
    metadata,
    _run(),
    Column("tensors", LargeBinary, nullable=False),  # safetensors
    Column("masks", LargeBinary, nullable=False),  # masks.pack
)

checkpoints = Table(
    "checkpoints",
    metadata,
    _run(),
    Column("epoch", whole, nullable=False),  # the last one that was complete
    Column("seconds", Float, nullable=False),
    Column("regulariser_seconds", Float, nullable=False, default=0.0),
)

checkpoint_parts = Table(  # of `abp.training.checkpoint`, to be joined: a database has a limit for one value
    "checkpoint_parts",
    metadata,
    Column("run", ForeignKey("checkpoints.run", ondelete="CASCADE"), primary_key=True),
    Column("part", whole, primary_key=True),  # 0, 1, ...
    Column("content", LargeBinary, nullable=False),
)

studies = Table(
    "studies",
    metadata,
    Column("id", whole, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("specification", Text, nullable=False),  # Study.to_json
    Column("paused", Boolean, nullable=False, default=False),
    Column("created", Float, nullable=False),
    sqlite_autoincrement=True,
)

study_runs = Table(  # a run may serve any number of studies
    "study_runs",
    metadata,
    Column("study", ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True),
    Column("run", ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True, index=True),
)

baselines = Table(  # test accuracies of a finished run's dense twin reduced to its ranks, computed once
    "baselines",
    metadata,
    _run(),
    Column("method", String(20), primary_key=True),
    Column("accuracy", Float, nullable=False),
)

measures = Table(  # what the final network of a finished run shows: `abp.runs.summaries`
    "measures",
    metadata,
    _run(),
    Column("numbers", JSON, nullable=False),
    Column("spectra", LargeBinary, nullable=False),  # float64: singular values of the hidden layers, joined
)

datasets = Table(  # people's own data, named in settings by their key
    "datasets",
    metadata,
    Column("key", String(80), primary_key=True),  # the name and the beginning of the hash: name@0123456789ab
    Column("name", String(60), nullable=False, index=True),
    Column("hash", String(64), nullable=False),  # SHA-256 of the samples, their labels and what both mean
    Column("private", Boolean, nullable=False, default=False),
    Column("created", Float, nullable=False),
    Column("size", whole, nullable=False),  # bytes of all parts
    Column("description", JSON, nullable=False),  # abp.data.own.content.Description
)

dataset_parts = Table(  # of the samples as safetensors, to be joined
    "dataset_parts",
    metadata,
    Column("dataset", ForeignKey("datasets.key", ondelete="CASCADE"), primary_key=True),
    Column("part", whole, primary_key=True),  # 0, 1, ...
    Column("content", LargeBinary, nullable=False),
)
