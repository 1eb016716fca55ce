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

// String shows neither the password nor the name, which may be somebody's
// number.
func (a Auth) String() string { return redacted }

// Format is String, whatever the verb is: package fmt prints a pointer within a
// struct field by field if the verb is none for pointers.
func (a Auth) Format(f fmt.State, _ rune) { io.WriteString(f, a.String()) }

// LogValue is String.
func (a Auth) LogValue() slog.Value { return slog.StringValue(a.String()) }
