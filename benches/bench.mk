# Included by the Makefile. Speed: make bench, make bench-pure, make profile.

.PHONY: bench bench-pure profile bench-build

# The module beside others, side by side; writes docs/performance.md. BENCH_SCALE=5 measures five times as many logins.
bench: bench-build
	WORK=$(target) benches/run

# The pure parts alone: one-time codes, chains, policies, files.
bench-pure:
	$(CARGO) bench --locked --bench pure

# Instructions of one login by function.
profile: bench-build
	WORK=$(target) benches/run profile

# The module last: building anything else puts a library with the command's parts in its place.
bench-build:
	@tools/require bench
	@$(MAKE) --no-print-directory build
	$(reproducible) $(CARGO) build --locked --release -p pamtimer
	@install -m 755 $(target)/release/pamtimer build/pamtimer
	@$(module_build)
	@install -m 644 $(target)/release/libmfa_chain.so build/pam_mfa_chain.unstripped.so
