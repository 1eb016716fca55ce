//go:build !linux

package sip

// mark does nothing here: what is sent has no DSCP.
func mark(uintptr, int) error { return nil }
