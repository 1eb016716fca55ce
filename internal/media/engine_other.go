//go:build !linux || 386 || s390x

package media

// newDriver is plain: the loops are made for Linux, and for the processors on
// which every socket call of it is a system call of its own.
func newDriver(EngineConfig) driver { return plain{} }
