# Wrong variants of the code, one for each promise (tests/variants). VARIANTS=S1,S29 takes these alone.

.PHONY: variants

variants:
	@tools/require test
	tests/variants/run $(abspath $(target))/variants
