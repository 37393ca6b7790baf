// Package fault is the one place that knows what the failure of an exchange means:
// which status the client gets, whether it may retry, the code that closes a WebSocket,
// what the worker is told, and which counter counts it.
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// The ways in which an exchange fails. Each has a row in the table.
var (
	// ErrNoRoute is returned when no route's prefix matches the path.
	ErrNoRoute = errors.New("no route")
	// ErrBadRequest is returned when a request cannot be passed on.
	ErrBadRequest = errors.New("bad request")
	// ErrMethod is returned for a method that a proxy of this kind does not serve.
	ErrMethod = errors.New("method not supported")
	// ErrTrace is returned for TRACE, unless it is allowed: the response would show the
	// sender what others have added to the request, such as credentials (RFC 9110
	// section 9.3.8).
	ErrTrace = errors.New("method not allowed")
	// ErrNoFile is returned when no file has the path.
	ErrNoFile = errors.New("no such file")
	// ErrFileMethod is returned for a method that files do not have.
	ErrFileMethod = errors.New("files have GET and HEAD only")
	// ErrPrecondition is returned when a file is not as the request wants it to be.
	ErrPrecondition = errors.New("precondition failed")
	// ErrRange is returned for a range that a file does not have.
	ErrRange = errors.New("no such range")
	// ErrManyFiles is returned when as many files are being sent as may be open.
	ErrManyFiles = errors.New("too many downloads at once")
	// ErrFileChanged is returned when a file got shorter, or could not be read, while it was
	// being sent.
	ErrFileChanged = errors.New("file broke off")
	// ErrTargetTooLong is returned when the headers frame passes its limit, mostly because
	// of the target.
	ErrTargetTooLong = errors.New("request target too long")
	// ErrNoWebSocket is returned when a worker answers the extended CONNECT for a
	// WebSocket as it would a GET.
	ErrNoWebSocket = errors.New("no WebSocket here")
	// ErrWebSocket is returned when a client breaks a rule of RFC 6455.
	ErrWebSocket = errors.New("WebSocket protocol broken")
	// ErrHeadersTooLarge is returned when the headers frame passes its limit.
	ErrHeadersTooLarge = errors.New("request headers too large")
	// ErrBodyTooLarge is returned when the body passes its limit.
	ErrBodyTooLarge = errors.New("request body too large")
	// ErrTooFast is returned when the client makes more requests than it may.
	ErrTooFast = errors.New("too many requests")
	// ErrBodyBroken is returned when the body breaks off or is malformed.
	ErrBodyBroken = errors.New("request body broke off")
	// ErrClientSlow is returned when the client makes no progress within its deadline.
	ErrClientSlow = errors.New("client too slow")
	// ErrClientGone is returned when the client has closed its connection.
	ErrClientGone = errors.New("client gone")
	// ErrNoWorker is returned when the pool has no link.
	ErrNoWorker = errors.New("no worker attached")
	// ErrBusy is returned when the queue is full.
	ErrBusy = errors.New("queue full")
	// ErrNoWindow is returned for a request with a body when the unread bodies of all
	// requests take as much memory as they may.
	ErrNoWindow = errors.New("too many uploads at once")
	// ErrQueueTimeout is returned after too long a wait in the queue.
	ErrQueueTimeout = errors.New("queued for too long")
	// ErrDraining is returned when the server is shutting down.
	ErrDraining = errors.New("shutting down")
	// ErrCancelled is returned when an operator has ended the exchange.
	ErrCancelled = errors.New("cancelled by an operator")
	// ErrWorkerTimeout is returned when the worker makes no progress within the response
	// timeout.
	ErrWorkerTimeout = errors.New("worker timed out")
	// ErrWorkerLost is returned when the worker died or was evicted.
	ErrWorkerLost = errors.New("worker lost")
	// ErrWorkerInvalid is returned when the response breaks a rule of HTTP.
	ErrWorkerInvalid = errors.New("invalid response from worker")
	// ErrWorkerAborted is returned when the worker gave the exchange up.
	ErrWorkerAborted = errors.New("worker aborted")

	// ErrPreempted ends an exchange whose client was slow while others waited for the
	// stream or lane that it held. It is an ErrClientSlow.
	ErrPreempted = fmt.Errorf("%w while others waited for its place", ErrClientSlow)
)

// StatusClientGone is what the access log says of a client that went away; it is never
// sent.
const StatusClientGone = 499

// Cancel is what a worker is told when an exchange fails.
type Cancel uint8

// The values of Cancel.
const (
	CancelFinished   Cancel = iota // nobody wants the rest
	CancelClientGone               // the client went away, or its request broke off
	CancelClientSlow
	CancelTooLarge
	CancelDeadline // the worker's time was up
	CancelInvalid  // the response was not valid
	CancelShutdown
)

// Counter names the counter that counts a fault besides the one of all failed exchanges.
type Counter uint8

// The values of Counter.
const (
	CountNone Counter = iota
	CountClientGone
	CountWorkerTimeout
)

// Codes that close a WebSocket (RFC 6455 section 7.4.1 and the registry of its section
// 11.7).
const (
	closeGoingAway       = 1001
	closePolicyViolation = 1008
	closeInternalError   = 1011
	closeBadGateway      = 1014
)

// Statuses of RFC 9110 section 15 and RFC 6585. Package http has them, too; the dispatcher,
// which knows nothing of HTTP, imports this package.
const (
	statusBadRequest                  = 400
	statusNotFound                    = 404
	statusMethodNotAllowed            = 405
	statusRequestTimeout              = 408
	statusPreconditionFailed          = 412
	statusRequestEntityTooLarge       = 413
	statusRequestURITooLong           = 414
	statusRangeNotSatisfiable         = 416
	statusTooManyRequests             = 429
	statusRequestHeaderFieldsTooLarge = 431
	statusInternalServerError         = 500
	statusNotImplemented              = 501
	statusBadGateway                  = 502
	statusServiceUnavailable          = 503
	statusGatewayTimeout              = 504
)

// Fault is a row of the table.
type Fault struct {
	Err       error
	Status    int     // of the response, if it has not begun
	Retry     bool    // the response says Retry-After
	CloseCode uint16  // of the Close that ends a WebSocket; 0: that of an internal error
	Cancel    Cancel  // what the worker is told
	Counter   Counter // what counts it
	// EndsConnection has the connection closed after the response: a client that does not
	// speak HTTP as we do may not mean what would be read next, either.
	EndsConnection bool
}

// table is looked up from the top; the first match counts. RFC 9110 section 15 defines
// the statuses, RFC 6585 those from 429 to 431.
var table = [...]Fault{
	{Err: ErrNoRoute, Status: statusNotFound},
	{Err: ErrBadRequest, Status: statusBadRequest, EndsConnection: true},
	{Err: ErrMethod, Status: statusNotImplemented, EndsConnection: true},
	{Err: ErrTrace, Status: statusMethodNotAllowed},
	{Err: ErrNoFile, Status: statusNotFound},
	{Err: ErrFileMethod, Status: statusMethodNotAllowed},
	{Err: ErrPrecondition, Status: statusPreconditionFailed},
	{Err: ErrRange, Status: statusRangeNotSatisfiable},
	{Err: ErrManyFiles, Status: statusServiceUnavailable, Retry: true},
	{Err: ErrFileChanged, Status: statusInternalServerError},
	{Err: ErrTargetTooLong, Status: statusRequestURITooLong, EndsConnection: true},
	{Err: ErrNoWebSocket, Status: statusNotImplemented}, // RFC 9220 section 3
	{Err: ErrWebSocket, Status: statusBadRequest, Cancel: CancelClientGone},
	{Err: ErrHeadersTooLarge, Status: statusRequestHeaderFieldsTooLarge, EndsConnection: true},
	{Err: ErrBodyTooLarge, Status: statusRequestEntityTooLarge, Cancel: CancelTooLarge},
	{Err: ErrTooFast, Status: statusTooManyRequests, Retry: true},
	{Err: ErrBodyBroken, Status: statusBadRequest, Cancel: CancelClientGone, Counter: CountClientGone},
	{Err: ErrClientSlow, Status: statusRequestTimeout, CloseCode: closePolicyViolation, Cancel: CancelClientSlow},
	{Err: ErrClientGone, Status: StatusClientGone, Cancel: CancelClientGone, Counter: CountClientGone},
	{Err: ErrNoWorker, Status: statusServiceUnavailable, Retry: true},
	{Err: ErrBusy, Status: statusServiceUnavailable, Retry: true},
	{Err: ErrNoWindow, Status: statusServiceUnavailable, Retry: true},
	{Err: ErrQueueTimeout, Status: statusServiceUnavailable, Retry: true},
	{Err: ErrDraining, Status: statusServiceUnavailable, Retry: true, CloseCode: closeGoingAway,
		Cancel: CancelShutdown},
	{Err: ErrCancelled, Status: statusServiceUnavailable, CloseCode: closePolicyViolation},
	{Err: ErrWorkerTimeout, Status: statusGatewayTimeout, CloseCode: closeBadGateway, Cancel: CancelDeadline,
		Counter: CountWorkerTimeout},
	{Err: ErrWorkerLost, Status: statusBadGateway, CloseCode: closeBadGateway},
	{Err: ErrWorkerInvalid, Status: statusBadGateway, CloseCode: closeBadGateway, Cancel: CancelInvalid},
	{Err: ErrWorkerAborted, Status: statusBadGateway, CloseCode: closeInternalError},
}

// internal is the fault of an error that has no row.
var internal = Fault{Err: errors.New("internal error"), Status: statusInternalServerError}

// Of returns the row of an error, or that of an internal error. The caller does not
// change it.
func Of(err error) *Fault {
	for i := range table {
		if errors.Is(err, table[i].Err) {
			return &table[i]
		}
	}
	return &internal
}

// Reason returns what a client is told: the kind of failure, and none of the particulars.
func (f *Fault) Reason() string { return f.Err.Error() }

// Close returns the code that closes a WebSocket.
func (f *Fault) Close() uint16 {
	if f.CloseCode == 0 {
		return closeInternalError
	}
	return f.CloseCode
}

// Row returns the number of the fault, below the length of [Labels].
func (f *Fault) Row() int {
	for i := range table {
		if f == &table[i] {
			return i
		}
	}
	return len(table)
}

// Labels returns what metrics and logs call the faults, by their rows: the words of the reason, with underscores
// between them.
func Labels() []string {
	labels := make([]string, 0, len(table)+1)
	for i := range table {
		labels = append(labels, table[i].Label())
	}
	return append(labels, internal.Label())
}

// Label returns what metrics and logs call the fault.
func (f *Fault) Label() string { return strings.ReplaceAll(strings.ToLower(f.Reason()), " ", "_") }

// OfReason returns the fault of which a client was told the reason, or that of a bad request.
func OfReason(reason string) *Fault {
	for i := range table {
		if table[i].Reason() == reason {
			return &table[i]
		}
	}
	return Of(ErrBadRequest)
}
