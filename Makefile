# Every target installs what it needs first (.ci/setup); that takes no time when nothing is missing.
PYTHON ?= python3
# Rounds of the tests that repeat the same thing, and GlusterFS versions beside the machine's own on
# which the tests with a pool run as well.
N ?= 1
GLUSTER ?=
# Random stories of the simulated pool: for make sim; make test runs 100.
SEEDS ?= 1000
RUN = .work/venv-3007/bin/python
# What the main run of the tests needs: packages, programs that the distribution lacks, environments.
# .ci/test makes those of Salt 3006 and 3008 meanwhile.
ALL = system consul gluster-11 3007 python-consul

.PHONY: help test long lint capabilities demo lab down bench sim mutants
.NOTPARALLEL:

help:
	@echo 'make test          lint and all tests, on Salt 3006, 3007 and 3008 (N=$(N) rounds)'
	@echo 'make long          all of it on each Salt, 20 rounds, many more examples, GlusterFS 11, mutants'
	@echo 'make demo          a pool from bare nodes to a lost node and back, told step by step'
	@echo 'make lab           four nodes on this machine, left up for playing; make down ends them'
	@echo 'make bench         every measurement; each ends with one line of JSON'
	@echo 'make capabilities  is every capability called "works" tested on the real thing?'
	@echo 'make sim           random stories of a breaking pool, SEEDS=$(SEEDS) of them'
	@echo 'make mutants       breaks the code in one place at a time; a test has to notice each'
	@echo 'make lint          ruff, mypy, import-linter'

test:
	@$(PYTHON) .ci/setup $(ALL)
	@N='$(N)' GLUSTER='$(GLUSTER)' $(PYTHON) .ci/test

long: N = 20
long: GLUSTER = 11
long:
	@$(PYTHON) .ci/setup $(ALL)
	@N='$(N)' GLUSTER='$(GLUSTER)' $(PYTHON) .ci/test --long

lint:
	@$(PYTHON) .ci/setup 3007
	@$(PYTHON) .ci/test --lint

sim:
	@$(PYTHON) .ci/setup 3007
	@$(RUN) tests/simulation/simstory.py $(SEEDS)

mutants:
	@$(PYTHON) .ci/setup 3007
	@$(RUN) tests/meta/mutate.py

capabilities:
	@$(PYTHON) tests/support/capabilities.py

demo:
	@$(PYTHON) .ci/setup system consul 3007
	@$(RUN) -m lab.demo

lab:
	@$(PYTHON) .ci/setup system consul 3007
	@$(RUN) -m lab up --nodes 4 --join

down:
	@$(PYTHON) .ci/setup 3007
	@$(RUN) -m lab down

bench:
	@$(PYTHON) .ci/setup system consul 3007
	@$(RUN) .ci/bench
