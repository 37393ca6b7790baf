package server

import (
	"errors"
	"fmt"
	"net/http"
)

// The ways in which an exchange fails. Each has a row in the status table.
var (
	// ErrNoRoute is returned when no route's prefix matches the path.
	ErrNoRoute = errors.New("no route")
	// ErrBadRequest is returned when a request cannot be passed on.
	ErrBadRequest = errors.New("bad request")
	// ErrMethod is returned for a method that a proxy of this kind does not
	// serve.
	ErrMethod = errors.New("method not supported")
	// ErrTrace is returned for TRACE, unless it is allowed: it would show whoever sends it
	// what others have added to a request, such as credentials (RFC 9110 section 9.3.8).
	ErrTrace = errors.New("method not allowed")
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
	// ErrClientSlow is returned when the client makes no progress within its
	// deadline.
	ErrClientSlow = errors.New("client too slow")
	// ErrClientGone is returned when the client has closed its connection.
	ErrClientGone = errors.New("client gone")
	// ErrNoWorker is returned when the pool has no link.
	ErrNoWorker = errors.New("no worker attached")
	// ErrBusy is returned when the queue is full.
	ErrBusy = errors.New("queue full")
	// ErrQueueTimeout is returned after too long a wait in the queue.
	ErrQueueTimeout = errors.New("queued for too long")
	// ErrDraining is returned when the server is shutting down.
	ErrDraining = errors.New("shutting down")
	// ErrWorkerTimeout is returned when the worker makes no progress within
	// the response timeout.
	ErrWorkerTimeout = errors.New("worker timed out")
	// ErrWorkerLost is returned when the worker died or was evicted.
	ErrWorkerLost = errors.New("worker lost")
	// ErrWorkerInvalid is returned when the response breaks a rule of HTTP.
	ErrWorkerInvalid = errors.New("invalid response from worker")
	// ErrWorkerAborted is returned when the worker gave the exchange up.
	ErrWorkerAborted = errors.New("worker aborted")
)

// errYields is the end of an exchange whose client was slow when others waited for its
// place.
var errYields = fmt.Errorf("%w while others waited for its place", ErrClientSlow)

// statusClientGone is what the access log says of a client that went away; it is
// never sent.
const statusClientGone = 499

// statusTable is the one place where an error becomes a status. The first match
// counts. RFC 9110 section 15 defines the codes, RFC 6585 those from 429 to 431.
var statusTable = []struct {
	err    error
	status int
	retry  bool // say Retry-After
}{
	{ErrNoRoute, http.StatusNotFound, false},
	{ErrBadRequest, http.StatusBadRequest, false},
	{ErrMethod, http.StatusNotImplemented, false},
	{ErrTrace, http.StatusMethodNotAllowed, false},
	{ErrTargetTooLong, http.StatusRequestURITooLong, false},
	{ErrNoWebSocket, http.StatusNotImplemented, false}, // RFC 9220 section 3
	{ErrWebSocket, http.StatusBadRequest, false},
	{ErrHeadersTooLarge, http.StatusRequestHeaderFieldsTooLarge, false},
	{ErrBodyTooLarge, http.StatusRequestEntityTooLarge, false},
	{ErrTooFast, http.StatusTooManyRequests, true},
	{ErrBodyBroken, http.StatusBadRequest, false},
	{ErrClientSlow, http.StatusRequestTimeout, false},
	{ErrClientGone, statusClientGone, false},
	{ErrNoWorker, http.StatusServiceUnavailable, true},
	{ErrBusy, http.StatusServiceUnavailable, true},
	{ErrNoWindow, http.StatusServiceUnavailable, true},
	{ErrQueueTimeout, http.StatusServiceUnavailable, true},
	{ErrDraining, http.StatusServiceUnavailable, true},
	{ErrWorkerTimeout, http.StatusGatewayTimeout, false},
	{ErrWorkerLost, http.StatusBadGateway, false},
	{ErrWorkerInvalid, http.StatusBadGateway, false},
	{ErrWorkerAborted, http.StatusBadGateway, false},
}

// statusOf returns the status for err, and whether a retry makes sense.
func statusOf(err error) (status int, retry bool) {
	for _, row := range statusTable {
		if errors.Is(err, row.err) {
			return row.status, row.retry
		}
	}
	return http.StatusInternalServerError, false
}

// costsConnection reports whether err is a client's that does not speak HTTP as we do:
// it may not mean what we would read next, either.
func costsConnection(err error) bool {
	return errors.Is(err, ErrBadRequest) || errors.Is(err, ErrMethod) || errors.Is(err, ErrHeadersTooLarge) ||
		errors.Is(err, ErrTargetTooLong)
}

// reasonOf returns what a client is told of err: the kind of failure, and none of
// its particulars.
func reasonOf(err error) string {
	for _, row := range statusTable {
		if errors.Is(err, row.err) {
			return row.err.Error()
		}
	}
	return "internal error"
}
