# The front door. Each target installs the Debian packages that it needs and are missing.
BUILD := build
PREFIX := /usr/local
.PHONY: all setup demo test lint bench fuzz proof proof-build install uninstall deb clean

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

# PREFIX and DESTDIR as usual. Installs what `make` has built.
install: all
	@cmake --build $(BUILD) --target printed -- --quiet >/dev/null
	@cmake --install $(BUILD) --prefix $(PREFIX) >$(BUILD)/install.log || { cat $(BUILD)/install.log; exit 1; }

uninstall:
	@sed 's|^|$(DESTDIR)|' $(BUILD)/install_manifest.txt | xargs -r -d '\n' rm -f

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
