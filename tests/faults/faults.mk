# Included by the Makefile.
