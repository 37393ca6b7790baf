package attach

import (
	"errors"
	"strconv"
)

// The errors of Encode and Decode. They arrive inside a *MessageError: match them with
// errors.Is.
var (
	// ErrMessageTooLong is returned when a message has more than MaxMessage
	// bytes.
	ErrMessageTooLong = errors.New("message too long")

	// ErrMessageType is returned when a message is of a type that this
	// version does not know. The message itself may be in order.
	ErrMessageType = errors.New("unknown message type")

	// ErrMessageFormat is returned when a message breaks any other rule of
	// Message.
	ErrMessageFormat = errors.New("malformed message")
)

// MessageError says what is wrong with a message, and with which key.
type MessageError struct {
	Err  error  // one of the errors above
	Key  string // empty if the fault is not in one key
	What string // details for a person
}

func (e *MessageError) Error() string {
	s := "attach: " + e.Err.Error()
	if e.Key != "" {
		s += ": key " + quote(e.Key)
	}
	return s + ": " + e.What
}

// Unwrap returns e.Err.
func (e *MessageError) Unwrap() error { return e.Err }

func malformed(key, what string) error {
	return &MessageError{Err: ErrMessageFormat, Key: key, What: what}
}

func countBytes(n int) string { return strconv.Itoa(n) + " bytes" }

// quote makes s fit for a log line: escaped, and cut if it is long.
func quote(s string) string {
	const most = 64
	if len(s) > most {
		return strconv.Quote(s[:most]) + "..."
	}
	return strconv.Quote(s)
}
