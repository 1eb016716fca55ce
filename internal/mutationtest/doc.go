// Package mutationtest breaks the law on purpose and asks whether the tests
// notice. Each mutant is a small change of the source that would record without
// consent, count a yes that is none, or lose what must be kept; a build with it
// must make named tests fail.
//
// Without CONSENTGW_MUTANTS=1 it is only checked that every mutant still fits
// the source; with it, all of them are built and hunted, which takes minutes.
package mutationtest
