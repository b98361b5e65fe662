# `make` alone lists what can be made. Everything happens in .venv and build.
PYTHON ?= python3
BIN := .venv/bin
READY := build/ready
STUBS := 'micropython-esp32-esp32_generic_s3-stubs>=1.26'

.PHONY: help setup demo test lint docs firmware hardware screens screens-record bench powercut soak soak-kill micropython32 wheel clean

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make setup          prepare .venv (done by the others when needed)
setup: $(READY)

$(READY): pyproject.toml
	@mkdir -p build
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade --target build/typings $(STUBS)
	@touch $(READY)

## make demo           record a conversation on an emulated card, sync it, print the transcript
demo: $(READY)
	@$(BIN)/python tests/demo/demo.py build/demo

## make test           every check and test
test: lint
	$(BIN)/pytest

## make lint           style and types of host and firmware
lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mypy --config-file firmware/mypy.ini firmware/boot.py firmware/main.py firmware/slots.py firmware/slots_log.py firmware/card

## make docs           put what the program says of itself into host/README.md, make the card's pin map and digits, compute hardware/power-budget.md
docs: $(READY)
	$(BIN)/cog -I host -r host/README.md
	$(BIN)/python hardware/power_budget.py hardware/power-budget.md
	$(BIN)/python firmware/fonts/make.py firmware/card/ui
	$(BIN)/python hardware/pins.py firmware/card/pins.py
	$(BIN)/cog -I hardware -r hardware/README.md

## make firmware       the application's size: files, machine code, heap on the 32-bit interpreter (after make micropython32)
firmware: $(READY)
	@PYTHONPATH=tests:tests/bench $(BIN)/python tests/bench/firmware_size.py

## make hardware       check every board's pins and circuit; draw wiring, schematic, enclosure (needs graphviz; 700 MB of CAD)
hardware: $(READY)
	@$(BIN)/python hardware/check.py
	@test -d build/hardware || $(PYTHON) -m venv build/hardware
	@build/hardware/bin/pip install --quiet --disable-pip-version-check '.[hardware]'
	@$(BIN)/python hardware/guide.py build/wiring.yml
	@cd build && hardware/bin/wireviz --format s wiring.yml >/dev/null && cp wiring.svg ../hardware/wiring.svg
	@build/hardware/bin/python hardware/schematic.py hardware/schematic.svg
	@cd build && hardware/bin/python ../hardware/netlist.py card.net 2>/dev/null
	@build/hardware/bin/python hardware/enclosure.py hardware/enclosure

## make screens        draw every screen of the card on one sheet, build/screens.png
screens: $(READY)
	@mkdir -p build
	@PYTHONPATH=tests $(BIN)/python tests/screens/sheet.py build/screens.png

## make screens-record take what the screens look like now for right, after a look at the sheet
screens-record: $(READY)
	@PYTHONPATH=tests $(BIN)/python tests/screens/sheet.py firmware/screens.png record

## make bench          measure speed and quality, write build/bench.json (needs flite and ffmpeg)
bench: $(READY)
	@$(BIN)/python tests/bench/run.py build/bench.json

## make powercut       cut the power at every flash operation of a session, and of an update, check every promise
##                     (ID=... replays one cut, of SESSION=recording or update)
powercut: $(READY)
	@for session in $(or $(SESSION),recording update); do \
	  $(BIN)/python tests/powercut/run.py --session $$session $(if $(ID),--id $(ID)) $(if $(SEED),--seed $(SEED)) || exit 1; done

## make soak           2,000 syncs over a hostile line, beside noise and lies for both sides (ID=... replays one run)
soak: $(READY)
	@cd tests && ../$(BIN)/python -m soak.run $(if $(ID),--id $(ID)) $(if $(SEED),--seed $(SEED)) $(if $(RUNS),--runs $(RUNS))

## make soak-kill      kill the host, and cut the card, 200 times each in the middle of a sync (ID=... replays one kill)
soak-kill: $(READY)
	@cd tests && ../$(BIN)/python -m soak.run kills $(if $(ID),--id $(ID)) $(if $(SEED),--seed $(SEED)) $(if $(RUNS),--runs $(RUNS))

## make micropython32  fetch the 32-bit MicroPython that the firmware's tests also run on (Debian-like machines)
micropython32:
	@tests/micropython32.sh build/micropython32

## make wheel          build the wheel and prove it: install it elsewhere, run the demo from there
wheel: $(READY)
	tests/prove_wheel.sh $(BIN)/python

## make clean          remove .venv and build
clean:
	rm -rf .venv build
