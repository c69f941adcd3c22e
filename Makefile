# The front door. Each target installs the Debian packages that it needs and are missing.
BUILD := build
JOBS := $(shell nproc)
.PHONY: all setup demo test lint bench fuzz install clean

all: setup
	@cmake --preset release --log-level=WARNING >/dev/null
	@cmake --build $(BUILD) --target product -- --quiet

setup:
	@scripts/setup build

demo: all
	@examples/demo.sh

test:
	@scripts/setup build test
	@scripts/test

lint:
	@scripts/setup build test lint
	@scripts/lint

bench: all
	@scripts/setup build test
	@bench/run

fuzz:
	@scripts/setup build fuzz
	@scripts/fuzz

clean:
	@rm -rf $(BUILD)
