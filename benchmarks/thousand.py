"""A store with a study of a thousand finished runs, to see how long people wait for its pages."""

from sqlalchemy import insert, select, update

from abp.runs import worker
from abp.store import schema
from abp.store.store import Store
from abp.studies.registry import start_study, study_runs
from abp.studies.specification import Study
from abp.training.experiment import Experiment

STUDY = Study(
    datasets=("digits",),
    criteria=("none", "activation", "activation-neuron", "magnitude", "random"),
    amounts=(0.5, 0.6, 0.7, 0.8),
    seeds=tuple(range(59)),
    prunings=1,
    base=Experiment(hidden=(12, 8), epochs=1, start_accuracy=0.0),
)


def thousand_runs(store: Store) -> int:
    """Start the study, train all runs of its first two seeds, and copy what came of the second to all others.

    The first seed's accuracies differ from the second's, so that no statistic is of equal values alone.
    """
    number = start_study(store, STUDY)
    members = study_runs(store, number)
    for member in members:
        if member.seed < 2:
            worker.execute(store, member.run.id, worker.new_owner())
    trained = {member.cell: member.run.id for member in members if member.seed == 1}
    for member in members:
        if member.seed > 1:
            _copy(store, trained[member.cell], member.run.id)
    return number


def _copy(store: Store, source: int, target: int) -> None:
    """Let a run have had the same results as another."""
    with store.transaction() as connection:
        runs = schema.runs
        found = connection.execute(select(runs).where(runs.c.id == source)).mappings().one()
        results = {name: value for name, value in found.items() if name not in _OWN}
        connection.execute(update(runs).where(runs.c.id == target).values(results))
        for table in (schema.epochs, schema.prunings, schema.weights, schema.frames, schema.measures):
            rows = connection.execute(select(table).where(table.c.run == source)).mappings().all()
            if rows:
                connection.execute(insert(table), [{**row, "run": target} for row in rows])


_OWN = ("id", "name", "settings", "created", "lane", "keep")
"""What a run does not take over."""
