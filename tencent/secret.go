package tencent

import (
	"fmt"
	"io"
	"log/slog"
)

// secretMark is what every printer gets instead of a Secret.
const secretMark = "[secret]"

// Secret is a value that must not be printed: an app's secret key or a callback token.
// fmt, slog and the text based encoders (JSON, XML) get "[secret]" instead of the value, whatever the verb.
// Keep Secrets in exported fields: fmt cannot call methods on unexported ones.
type Secret string

// Reveal gives the value itself, for signing and sending only.
func (s Secret) Reveal() string { return string(s) }

// String gives "[secret]".
func (s Secret) String() string { return secretMark }

// GoString gives "[secret]".
func (s Secret) GoString() string { return secretMark }

// Format writes "[secret]" for every verb and flag.
func (s Secret) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, secretMark)
}

// LogValue gives "[secret]" to slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(secretMark) }

// MarshalText gives "[secret]" to JSON and other text encoders; it never fails.
func (s Secret) MarshalText() ([]byte, error) { return []byte(secretMark), nil }
