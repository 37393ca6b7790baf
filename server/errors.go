package server

import "github.com/wavey-ai/upload-response/server/internal/fault"

// The ways in which an exchange fails, see [Stats] and docs/faults.md.
var (
	// ErrNoRoute is returned when no route's prefix matches the path.
	ErrNoRoute = fault.ErrNoRoute
	// ErrBadRequest is returned when a request cannot be passed on.
	ErrBadRequest = fault.ErrBadRequest
	// ErrMethod is returned for a method that a proxy of this kind does not serve.
	ErrMethod = fault.ErrMethod
	// ErrTrace is returned for TRACE, unless it is allowed: the response would show the sender
	// what others have added to the request, such as credentials (RFC 9110 section 9.3.8).
	ErrTrace = fault.ErrTrace
	// ErrNoFile is returned when no file has the path.
	ErrNoFile = fault.ErrNoFile
	// ErrFileMethod is returned for a method that files do not have.
	ErrFileMethod = fault.ErrFileMethod
	// ErrPrecondition is returned when a file is not as the request wants it to be.
	ErrPrecondition = fault.ErrPrecondition
	// ErrRange is returned for a range that a file does not have.
	ErrRange = fault.ErrRange
	// ErrManyFiles is returned when as many files are being sent as may be open.
	ErrManyFiles = fault.ErrManyFiles
	// ErrFileChanged is returned when a file got shorter, or could not be read, while it was
	// being sent.
	ErrFileChanged = fault.ErrFileChanged
	// ErrTargetTooLong is returned when the headers frame passes its limit, mostly because
	// of the target.
	ErrTargetTooLong = fault.ErrTargetTooLong
	// ErrNoWebSocket is returned when a worker answers the extended CONNECT for a
	// WebSocket as it would a GET.
	ErrNoWebSocket = fault.ErrNoWebSocket
	// ErrWebSocket is returned when a client breaks a rule of RFC 6455.
	ErrWebSocket = fault.ErrWebSocket
	// ErrHeadersTooLarge is returned when the headers frame passes its limit.
	ErrHeadersTooLarge = fault.ErrHeadersTooLarge
	// ErrBodyTooLarge is returned when the body passes its limit.
	ErrBodyTooLarge = fault.ErrBodyTooLarge
	// ErrTooFast is returned when the client makes more requests than it may.
	ErrTooFast = fault.ErrTooFast
	// ErrBodyBroken is returned when the body breaks off or is malformed.
	ErrBodyBroken = fault.ErrBodyBroken
	// ErrClientSlow is returned when the client makes no progress within its deadline.
	ErrClientSlow = fault.ErrClientSlow
	// ErrClientGone is returned when the client has closed its connection.
	ErrClientGone = fault.ErrClientGone
	// ErrNoWorker is returned when the pool has no link.
	ErrNoWorker = fault.ErrNoWorker
	// ErrBusy is returned when the queue is full.
	ErrBusy = fault.ErrBusy
	// ErrQueueTimeout is returned after too long a wait in the queue.
	ErrQueueTimeout = fault.ErrQueueTimeout
	// ErrDraining is returned when the server is shutting down.
	ErrDraining = fault.ErrDraining
	// ErrCancelled is returned when an operator has ended the exchange.
	ErrCancelled = fault.ErrCancelled
	// ErrWorkerTimeout is returned when the worker makes no progress within the response
	// timeout.
	ErrWorkerTimeout = fault.ErrWorkerTimeout
	// ErrWorkerLost is returned when the worker died or was evicted.
	ErrWorkerLost = fault.ErrWorkerLost
	// ErrWorkerInvalid is returned when the response breaks a rule of HTTP.
	ErrWorkerInvalid = fault.ErrWorkerInvalid
	// ErrWorkerAborted is returned when the worker gave the exchange up.
	ErrWorkerAborted = fault.ErrWorkerAborted
	// ErrNoWindow is returned for a request with a body when the unread bodies of all
	// requests take as much memory as they may.
	ErrNoWindow = fault.ErrNoWindow
)
