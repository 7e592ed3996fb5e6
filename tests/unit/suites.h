/* The suites of the unit tests: one line each, in the order of the alphabet. Included twice by main.c. */
/* clang-format off */
SUITE(buf)
SUITE(clock)
SUITE(err)
SUITE(heap)
SUITE(id)
SUITE(list)
SUITE(log)
SUITE(map)
SUITE(mem)
SUITE(money)
SUITE(random)
SUITE(utf8)
