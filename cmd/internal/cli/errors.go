package cli

import (
	"errors"
	"fmt"
	"io"
)

// UsageError is a mistake in how a program was called.
type UsageError struct {
	Command string // the command with the help that explains it
	Err     error
}

// Error says what is wrong.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the mistake itself.
func (e *UsageError) Unwrap() error { return e.Err }

// ExitStatus prints what ended a program, and returns the exit status: 0, 1 when
// something went wrong, 2 when the arguments make no sense.
func ExitStatus(stderr io.Writer, program string, err error) int {
	var usage *UsageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "%s: %v (see '%s --help')\n", program, usage.Err, usage.Command)
		return 2
	}
	fmt.Fprintf(stderr, "%s: %v\n", program, err)
	return 1
}
