PYTHON ?= python3
HOST ?= localhost
PORT ?= 8501
BIN := .venv/bin

.PHONY: run test test-postgresql lint bench soak install

run: install ## open the dashboard; HOST=0.0.0.0 for other devices in the room
	$(BIN)/python -m abp dashboard --host=$(HOST) --port=$(PORT)

test: lint ## everything that must hold
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-postgresql: WHERE ?= tests/store tests/studies tests/dashboard
test-postgresql: .venv/installed-dev ## store, studies and pages, on a PostgreSQL started for it
	$(BIN)/python -m tests.postgresql --numprocesses 3 --dist loadfile --no-loadscope-reorder \
		$(WHERE) \
		--ignore tests/store/test_snapshots.py --ignore tests/dashboard/channel --deselect \
		tests/dashboard/test_study_pages.py::test_a_study_of_a_thousand_runs_opens_and_counts_them_all

lint: .venv/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

bench: .venv/installed-dev ## speed, printed as ratios beside their goals; PARTS=live for one part
	$(BIN)/python -m benchmarks $(PARTS)

soak: .venv/installed-dev ## the long tests: kills, hostile input, load; one table; PARTS=load for one part
	$(BIN)/python -m benchmarks.soak $(PARTS)

install: .venv/installed ## what the dashboard needs, in .venv

.venv/installed: requirements.txt
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
