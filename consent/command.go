package consent

import "errors"

// Sentinels of a command to a live call, such as withdrawing during it.
var (
	// ErrNoCall: no call with this record id or Call-ID is live here.
	ErrNoCall = errors.New("no such live call")
	// ErrNotPossible: the call is live, but not in a state in which the command
	// means anything. It is wrapped together with the reason.
	ErrNotPossible = errors.New("not possible now")
)
