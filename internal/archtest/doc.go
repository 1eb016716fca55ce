// Package archtest holds the architecture and the style of this module as
// tests: which package stands on which floor and may import what, which package
// is the home of which third-party module, and what no file of ours contains.
//
// The rules read source text only, every file whatever its build tags, so they
// need neither a network nor anything but Go. A rule has exceptions where it
// must; each has its reason beside it, and one that is no longer needed fails.
package archtest
