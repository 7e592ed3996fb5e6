/* What the fuzzers share. Each exports LLVMFuzzerTestOneInput() and aborts when an
 * invariant does not hold. */
#ifndef PAYBELL_TESTS_FUZZ_FUZZ_H
#define PAYBELL_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): it must hold in every build. */
static inline void fuzz_require(int holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "fuzz: does not hold: %s\n", what);
	abort();
}

#endif
