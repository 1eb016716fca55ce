package config

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a password. Every rendering of it, by fmt, slog and encoding/json,
// shows only whether it is set; string(s) is the password itself.
type Secret string

// What stands for a password that is set.
const redacted = "(set)"

func (s Secret) redact() Secret {
	if s == "" {
		return ""
	}
	return redacted
}

// String does not show the password.
func (s Secret) String() string { return string(s.redact()) }

// Format does not show the password, whatever the verb is.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue does not show the password.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText does not show the password.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
