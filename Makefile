# The front door. Each target installs the Debian packages that it needs and are missing.
BUILD := build
PREFIX := /usr/local
.PHONY: all help setup demo test lint bench coverage fuzz proof proof-build install uninstall deb clean

all: setup
	@cmake --preset release --log-level=WARNING >/dev/null
	@cmake --build $(BUILD) --target product -- --quiet

help:
	@echo 'make            builds into $(BUILD)/'
	@echo 'make demo       builds, then a tour with real data on a local directory'
	@echo 'make install    to PREFIX ($(PREFIX)), below DESTDIR; make uninstall takes it away'
	@echo 'make deb        Debian packages in $(BUILD)/deb/'
	@echo 'make test       every test; make lint: what compilers and analyzers say'
	@echo 'make bench      benchmarks; make fuzz, make proof: long tests; make coverage: what tests run'
	@echo 'make clean      removes $(BUILD)/'

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

coverage:
	@scripts/setup build test
	@scripts/coverage

fuzz:
	@scripts/setup build fuzz
	@scripts/fuzz

# PREFIX and DESTDIR as usual. Installs what `make` has built.
install: all
	@cmake --build $(BUILD) --target printed -- --quiet >/dev/null
	@cmake --install $(BUILD) --prefix $(PREFIX) >$(BUILD)/install.log || { cat $(BUILD)/install.log; exit 1; }
	@scripts/install-tree report '$(BUILD)' '$(PREFIX)' '$(DESTDIR)'

uninstall:
	@scripts/install-tree remove '$(BUILD)' '$(DESTDIR)'

# build/deb/*.deb: the command, the library, what programs are built with.
deb:
	@scripts/setup build package
	@cmake --preset release -B build/deb -DCMAKE_INSTALL_PREFIX=/usr -DS3STORE_TESTS=OFF --log-level=WARNING >/dev/null
	@cmake --build build/deb --target product printed -- --quiet
	@cd build/deb && cpack >cpack.log 2>&1 || { cat cpack.log; exit 1; }

# Everything that `make test` proves in short forms, for PROOF_SECONDS (default 3600).
proof-build:
	@scripts/setup build test fuzz
	@scripts/proof --build

proof: proof-build
	@scripts/proof

clean:
	@rm -rf $(BUILD)
