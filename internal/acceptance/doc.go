// Package acceptance holds the built program to what it promises, with nothing
// of it replaced: the binary as a process, SIPp as carrier and as contact
// center, a Redis that is killed and frozen, and phones with real speech. It
// has tests only.
//
// They need sipp and redis-server on the PATH and are skipped without them, or
// fail if CONSENTGW_REQUIRE_REAL is 1. CONSENTGW_BINARY names a program to test
// instead of a fresh build, and CONSENTGW_TALK how long the calls of the test
// of many recordings talk, 20s if it is not set.
package acceptance
