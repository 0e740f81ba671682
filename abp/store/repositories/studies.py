"""Studies: their specifications and which runs serve them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, insert, or_, select, update

from abp.store import schema
from abp.store.database import Database, is_id, once, patient
from abp.store.records import CommandKind, Lane, Run, Status, StudyRow, no_study
from abp.store.repositories.commands import Commands
from abp.store.repositories.leases import in_paused_study_only
from abp.store.repositories.runs import read_runs


@patient
@dataclass(frozen=True)
class Studies:
    """All studies. A run may serve any number of them; its own wait in `Lane.QUEUE`."""

    database: Database
    commands: Commands

    @once
    def add(self, name: str, specification: str) -> int:
        """Add a study and return its number."""
        row = {"name": name, "specification": specification, "paused": False, "created": self.database.now()}
        adding = insert(schema.studies).values(row).returning(schema.studies.c.id)
        with self.database.writing() as connection:
            return int(connection.execute(adding).scalar_one())

    def all(self) -> list[StudyRow]:
        """All studies, the newest first."""
        query = select(schema.studies).order_by(schema.studies.c.id.desc())
        with self.database.reading() as connection:
            return [StudyRow(**row) for row in connection.execute(query).mappings()]

    def get(self, number: int) -> StudyRow:
        """One study.

        Raises
        ------
        StudyUnknown
            If there is no such study.
        """
        row = None
        if is_id(number):
            query = select(schema.studies).where(schema.studies.c.id == number)
            with self.database.reading() as connection:
                row = connection.execute(query).mappings().first()
        if row is None:
            raise no_study(number)
        return StudyRow(**row)

    def change(self, number: int, **values: Any) -> None:
        """Change columns of a study, or raise StudyUnknown."""
        changing = update(schema.studies).where(schema.studies.c.id == number).values(values)
        with self.database.writing() as connection:
            if not connection.execute(changing).rowcount:
                raise no_study(number)

    def runs(self, number: int) -> list[Run]:
        """The runs that serve a study, the oldest first."""
        query = select(schema.runs).where(_of_study(number)).order_by(schema.runs.c.id)
        return read_runs(self.database, query)

    def of_run(self, run: int) -> list[StudyRow]:
        """The studies that a run serves, the oldest first."""
        columns = schema.study_runs.c
        mine = schema.studies.c.id.in_(select(columns.study).where(columns.run == run))
        query = select(schema.studies).where(mine).order_by(schema.studies.c.id)
        with self.database.reading() as connection:
            return [StudyRow(**row) for row in connection.execute(query).mappings()]

    def link(self, number: int, run: int) -> None:
        """Let a run serve a study."""
        with self.database.writing() as connection:
            connection.execute(insert(schema.study_runs).values(study=number, run=run))

    def unlink(self, number: int, run: int) -> None:
        """Let a run no longer serve a study; it stays as a run."""
        columns = schema.study_runs.c
        with self.database.writing() as connection:
            connection.execute(delete(schema.study_runs).where(columns.study == number, columns.run == run))

    def pause(self, number: int) -> None:
        """Hold back a study's queued runs and pause those in training, except for those that another study needs."""
        mine = and_(_of_study(number), schema.runs.c.lane == Lane.QUEUE, in_paused_study_only())
        with self.database.writing(alone=True):
            self.change(number, paused=True)
            self._ask(and_(mine, schema.runs.c.status == Status.RUNNING), CommandKind.PAUSE)

    def resume(self, number: int) -> None:
        """Resume a study's queued and paused runs."""
        runs, commands = schema.runs.c, schema.commands.c
        pausing = select(commands.run).where(commands.kind == CommandKind.PAUSE, commands.settled.is_(None))
        paused = and_(runs.owner.is_not(None), runs.status == Status.PAUSED)
        with self.database.writing(alone=True):
            self.change(number, paused=False)
            self._ask(and_(_of_study(number), or_(paused, runs.id.in_(pausing))), CommandKind.RESUME)
            self._queue_again(and_(_of_study(number), runs.owner.is_(None), runs.status == Status.PAUSED))

    def continue_interrupted(self, number: int) -> None:
        """Queue a study's interrupted runs again."""
        self._queue_again(and_(_of_study(number), schema.runs.c.status == Status.INTERRUPTED))

    def delete(self, number: int) -> None:
        """Delete a study. Its runs are kept; those that have not begun and that no other study needs are stopped."""
        members = schema.study_runs.c
        others = select(members.run).where(members.study != number)
        only_here = and_(_of_study(number), schema.runs.c.lane == Lane.QUEUE, schema.runs.c.id.not_in(others))
        with self.database.writing(alone=True) as connection:
            self.commands.stop_waiting(only_here)
            connection.execute(delete(schema.studies).where(schema.studies.c.id == number))

    def _queue_again(self, which: ColumnElement[bool]) -> None:
        values = {
            "status": Status.QUEUED,
            "lane": Lane.QUEUE,
            "held": False,
            "message": None,
            "owner": None,
            "lease": None,
            "deaths": 0,
        }
        with self.database.writing() as connection:
            connection.execute(update(schema.runs).where(which).values(values))

    def _ask(self, which: ColumnElement[bool], kind: CommandKind) -> None:
        with self.database.writing() as connection:
            asked = select(schema.runs.c.id).where(which).order_by(schema.runs.c.id)
            runs = connection.execute(asked.with_for_update(key_share=True)).scalars().all()
            for run in runs:
                row = {"run": run, "kind": kind, "arguments": {}, "created": self.database.now()}
                connection.execute(insert(schema.commands).values(row))


def _of_study(number: int) -> ColumnElement[bool]:
    return schema.runs.c.id.in_(select(schema.study_runs.c.run).where(schema.study_runs.c.study == number))
