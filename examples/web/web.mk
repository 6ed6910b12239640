# Included by the Makefile. The web app on the library: make web, make test-web, make web-screenshots.

.PHONY: web web-build test-web web-screenshots

web_build = CARGO_TARGET_DIR=$(abspath $(target))/web $(CARGO) build --locked --manifest-path examples/web/Cargo.toml
web_tests = tests/e2e/run --program -m pytest -q -p no:cacheprovider examples/web/tests \
	--web $(abspath $(target))/web/debug/mfa-chain-web

# Starts it on loopback with a store in memory, and prints the address. WEB="--store FOLDER --policy FILE" shares the store
# that PAM uses; WEB=--help lists the options.
web:
	@tools/require build
	@$(web_build)
	@$(abspath $(target))/web/debug/mfa-chain-web $(WEB)

web-build:
	@$(web_build)

# Its own tests, then in Chromium and beside libpam. make test runs it.
test-web: build web-build
	@tools/require test_web
	CARGO_TARGET_DIR=$(abspath $(target))/web $(CARGO) test --locked --manifest-path examples/web/Cargo.toml
	$(web_tests)

# Screenshots of every page into target/web/pictures; docs/web has three of them.
web-screenshots: build web-build
	@tools/require test_web
	$(web_tests) --pictures $(abspath $(target))/web/pictures
