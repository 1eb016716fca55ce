package media

import (
	"fmt"
	"runtime/debug"
)

// PanicError is a panic while a packet was handled. What the value said is left
// out: it may quote the packet.
type PanicError struct {
	Type  string // of the value
	Stack string
}

func newPanicError(v any) *PanicError {
	return &PanicError{Type: fmt.Sprintf("%T", v), Stack: string(debug.Stack())}
}

func (e *PanicError) Error() string { return "packet loop: panic of type " + e.Type }
