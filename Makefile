PYTHON ?= python3
HOST ?= localhost
PORT ?= 8501
BIN := .venv/bin

.PHONY: run test lint bench install

run: install ## open the dashboard; HOST=0.0.0.0 for other devices in the room
	$(BIN)/streamlit run app.py --server.address=$(HOST) --server.port=$(PORT)

test: install lint ## everything that must hold
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

bench: install ## speed, printed as ratios beside their goals; PARTS=live for one part
	$(BIN)/python -m benchmarks $(PARTS)

install: .venv/installed

.venv/installed: requirements.txt requirements-dev.txt
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
