package worker

import (
	"errors"
	"fmt"

	"github.com/wavey-ai/upload-response/shm"
)

var (
	// ErrNothingYet is returned by TryTail when the server has not published
	// the slot yet.
	ErrNothingYet = shm.ErrNothingYet
	// ErrCancelled is returned when nobody wants the response any more. It arrives in
	// a [*CancelledError] with the [Reason].
	ErrCancelled = errors.New("worker: request cancelled")
	// ErrEnded is returned when a request is used after its end.
	ErrEnded = errors.New("worker: request has ended")
	// ErrClosed is returned by Next when the link is closed or lost.
	ErrClosed = errors.New("worker: link closed")
	// ErrServer is returned by Attach and Serve, before anything is sent, when the
	// server's user is not trusted: see [WithServerUID].
	ErrServer = errors.New("worker: server not trusted")
	// ErrResponse is returned when the calls for a response come in a wrong order: a
	// body before the headers, or the headers twice.
	ErrResponse = errors.New("worker: response out of order")
	// ErrTooLarge is returned when a headers frame does not fit one slot.
	ErrTooLarge = errors.New("worker: headers do not fit one slot")
)

// Reason says why a request was cancelled.
type Reason = shm.Reason

// CancelledError is the error of a cancelled request.
type CancelledError struct{ Reason Reason }

// Error includes the reason.
func (e *CancelledError) Error() string { return fmt.Sprintf("%v: %v", ErrCancelled, e.Reason) }

// Unwrap returns ErrCancelled.
func (e *CancelledError) Unwrap() error { return ErrCancelled }
