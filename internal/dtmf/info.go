package dtmf

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// ErrNotDTMF says that an INFO body is of a type that carries no keys.
var ErrNotDTMF = errors.New("dtmf: the content type carries no keys")

// The faults of a body of the right type. They never say what the body said.
var (
	errLong      = errors.New("dtmf: the INFO body is longer than 1024 bytes")
	errNoSignal  = errors.New("dtmf: the INFO body has no Signal")
	errTwo       = errors.New("dtmf: the INFO body has more than one Signal")
	errNoSuchKey = errors.New("dtmf: the Signal is none of 0-9, *, #, A-D")
)

// maxInfo bounds an INFO body; a real one has some 30 bytes.
const maxInfo = 1024

// ParseInfo reads the key from the body of a SIP INFO: application/dtmf-relay
// ("Signal=1", "Duration=160" in ms) or application/dtmf ("1"). Neither was ever
// standardised (RFC 6086 2), so case, blanks, line ends, and event codes 10 to
// 15 for * # A B C D are all taken, and a missing or senseless Duration is 0.
// The press is a finished one: Released.
//
// Errors: ErrNotDTMF for any other content type; else what is wrong with the
// body. No error contains the key.
func ParseInfo(contentType string, body []byte, now time.Time) (Press, error) {
	kind, _, _ := strings.Cut(contentType, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	if kind != "application/dtmf-relay" && kind != "application/dtmf" {
		return Press{}, ErrNotDTMF
	}
	if len(body) > maxInfo {
		return Press{}, errLong
	}
	text := strings.Trim(string(body), " \t\r\n\x00")
	p := Press{Method: Info, At: now, Released: true}
	signal := text
	if kind == "application/dtmf-relay" || strings.Contains(text, "=") {
		var err error
		if signal, p.Duration, err = relay(text); err != nil {
			return Press{}, err
		}
	}
	if signal == "" {
		return Press{}, errNoSignal
	}
	key, ok := keyOf(signal)
	if !ok {
		return Press{}, errNoSuchKey
	}
	p.Key = key
	return p, nil
}

// relay reads the lines of application/dtmf-relay.
func relay(text string) (signal string, duration time.Duration, err error) {
	found := false
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\r' || r == '\n' }) {
		name, value, _ := strings.Cut(line, "=")
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "signal":
			if found {
				return "", 0, errTwo
			}
			found, signal = true, value
		case "duration":
			// 16 bits: a minute and no more. A value that is no number is not
			// worth losing a press for.
			if ms, err := strconv.ParseUint(value, 10, 16); err == nil {
				duration = time.Duration(ms) * time.Millisecond
			}
		}
	}
	return signal, duration, nil
}

// keyOf reads a key by its name, or by its event code from 10 to 15.
func keyOf(signal string) (Key, bool) {
	if len(signal) == 1 {
		i := strings.IndexByte(keys, strings.ToUpper(signal)[0])
		if i < 0 {
			return 0, false
		}
		return Key(keys[i]), true
	}
	code, err := strconv.ParseUint(signal, 10, 8)
	if err != nil || len(signal) != 2 || code < 10 || int(code) >= len(keys) {
		return 0, false
	}
	return Key(keys[code]), true
}
