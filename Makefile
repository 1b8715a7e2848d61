# Every target does the set-up that it needs. PYTHON names another interpreter (3.11 or newer).
PYTHON ?= python3
PROMPT ?= a red apple
OUT ?= drawing.svg
ARGS ?=

ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif

# Blender as a Python module, in an environment for each version, to test its extension with.
BLENDERS := .venv/blender-4.5/bpy-4.5.15 .venv/blender-5.0/bpy-5.0.1

# Rooms whose tests hardly look at the clock: two at a time.
TOGETHER := $(addprefix tests/,blender cli front jobs krita losses methods models training vector wire \
	test_docs.py test_imports.py test_pictures.py)

.PHONY: setup draw test security faults check bench corpus plugins docs clean

setup: .venv/ready
draw: .venv/ready
	@$(BIN)/limner draw "$(PROMPT)" --out "$(OUT)" $(ARGS)
test: .venv/ready-to-test $(BLENDERS)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(TOGETHER) $(ARGS)
	$(BIN)/python -m pytest $(addprefix --ignore=,$(TOGETHER)) $(ARGS)
# The forty attack cases (minutes) and the faults (half an hour), each with a table; at full strength.
security: export LIMNER_FUZZ ?= 1000000
security: export LIMNER_TRIES ?= 10000
security: export LIMNER_SUBMITS ?= 10000
security: export LIMNER_CHANGES ?= 2500
security: .venv/ready-to-test
	$(BIN)/python -m pytest tests/security --table $(ARGS)
faults: export LIMNER_KILLS ?= 100
faults: export LIMNER_SOAK_JOBS ?= 1000
faults: export LIMNER_CONNECTIONS ?= 10000
faults: export LIMNER_NOISE ?= 10000
faults: .venv/ready-to-test
	$(BIN)/python -m pytest tests/faults --table $(ARGS)
check: .venv/ready-to-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
bench: .venv/ready
	$(BIN)/limner bench strokes
	$(BIN)/limner bench draw
# The plugins, for their programs to take in: dist/limner-krita.zip, dist/limner-blender.zip. A wheel
# that is built after carries them.
plugins: .venv/ready
	$(BIN)/python -m limner.plugins
# All options of all commands.
docs: .venv/ready
	LIMNER_METHODS=/nowhere $(BIN)/python -m typer limner.cli.reference utils docs \
		--name limner --title Options --output docs/options.md
# The art that the starter models are trained on: fetched into the ignored cache, never committed.
corpus: .venv/ready-to-test
	mkdir -p .cache/corpus
	npm install --prefix .cache/corpus --no-audit --no-fund --no-save @iconify-json/noto \
		@iconify-json/noto-v1 @iconify-json/fluent-emoji @iconify-json/fluent-emoji-flat \
		@iconify-json/fxemoji @iconify-json/emojione @iconify-json/twemoji emojibase-data
	$(BIN)/limner train corpus --icons .cache/corpus/node_modules

.venv/bin/uv:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv
.venv/ready: pyproject.toml | .venv/bin/uv
	$(BIN)/uv pip install --quiet --python .venv --editable .
	$(BIN)/limner doctor > .venv/doctor.txt || { cat .venv/doctor.txt; exit 1; }
	touch $@
.venv/ready-to-test: .venv/ready
	$(BIN)/uv pip install --quiet --python .venv --editable ".[test,video]"
	touch $@
# There are wheels for one version of Python each, and not for every system: its tests do without.
$(BLENDERS): | .venv/bin/uv
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	@if $(BIN)/uv pip install --quiet --python $(@D) $(subst -,==,$(@F)) 2> .venv/blender.txt; \
	then touch $@; \
	else echo "The tests of $(notdir $(@D)) are skipped: $$(sed -n '$$s/^hint: //;$$p' .venv/blender.txt)"; rm -rf $(@D); \
	fi
clean:
	rm -rf .venv dist build backend/limner/plugins
