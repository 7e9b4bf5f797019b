// SPDX-License-Identifier: GPL-2.0
/*
 * Runs one test of selftests/bpf, TEST, with its own macros: what test_progs.c has of
 * it, which wants all the other tests as well. Prints TAP, a line for each subtest.
 */
#include <test_progs.h>

#define CALL(test)	test_##test
#define CALL_TEST(test)	CALL(test)
#define STRING(test)	#test
#define NAME(test)	STRING(test)

void CALL_TEST(TEST)(void);

static const char *subtest = "setup";
static bool failed, skipped;
static int count, failures;

static void end_of_subtest(void)
{
	printf("%sok %d - %s.%s%s\n", failed ? "not " : "", ++count, NAME(TEST),
	       subtest, skipped ? " # SKIP" : "");
	failures += failed;
	failed = skipped = false;
}

bool test__start_subtest(const char *name)
{
	end_of_subtest();
	subtest = name;
	return true;
}

void test__fail(void)
{
	failed = true;
}

void test__skip(void)
{
	skipped = true;
}

int main(void)
{
	setlinebuf(stdout);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	CALL_TEST(TEST)();
	end_of_subtest();
	return failures > 0;
}
