package shm

// Kind says what a slot carries.
type Kind uint32

// The kinds of slot. A lane is one Headers slot, any number of Body slots, at
// most one Trailers slot, and one End slot; or it breaks off with Abort. In a
// response lane any number of Interim slots may stand before the Headers slot. The
// lanes of a WebSocket have messages in the place of the body and the trailers.
const (
	// KindHeaders carries the stream's headers frame; slot 1, or the first after
	// the Interim slots, and no other.
	KindHeaders Kind = 1
	// KindBody carries raw body bytes.
	KindBody Kind = 2
	// KindTrailers carries trailer fields.
	KindTrailers Kind = 3
	// KindEnd has no bytes and ends the lane.
	KindEnd Kind = 4
	// KindAbort has no bytes and says that the lane's writer gave up: what came
	// before is not the whole message.
	KindAbort Kind = 5
	// KindInterim carries the headers frame of a response that precedes the final
	// one (RFC 9110 section 15.2).
	KindInterim Kind = 6
	// KindText and KindBinary carry a message of a WebSocket, or a part of one: it
	// goes on in the next slot unless Final is set. A part may have no bytes.
	KindText   Kind = 7
	KindBinary Kind = 8
	// KindClose carries the code and the reason of a WebSocket's end as they stand
	// in a Close frame (RFC 6455 section 5.5.1), or no bytes.
	KindClose Kind = 9
)

// Final is added to the kind of the last, or only, slot of a message.
const Final Kind = 1 << 8

var kindNames = [...]string{KindHeaders: "headers", KindBody: "body", KindTrailers: "trailers", KindEnd: "end",
	KindAbort:   "abort",
	KindInterim: "interim", KindText: "text", KindBinary: "binary", KindClose: "close"}

// Valid reports whether k is a kind that this layout defines, without Final.
func (k Kind) Valid() bool { return k >= KindHeaders && k <= KindClose }

// Message reports whether a slot of kind k carries a message, or a part of one.
func (k Kind) Message() bool { return k == KindText || k == KindBinary }

// mayCarry reports whether a slot of kind k can have so many bytes.
func (k Kind) mayCarry(length uint32) bool {
	switch k {
	case KindEnd, KindAbort:
		return length == 0
	case KindText, KindBinary, KindClose:
		return true
	}
	return length > 0
}

// String returns the kind's name.
func (k Kind) String() string {
	if !k.Valid() {
		return "unknown"
	}
	return kindNames[k]
}

// Reason says why a stream was cancelled. The server writes it into the row.
type Reason uint32

// The reasons for which a stream is cancelled.
const (
	// ReasonNone means that the stream is not cancelled.
	ReasonNone Reason = 0
	// ReasonClientGone means that the client closed or reset its connection,
	// or sent a body that broke off.
	ReasonClientGone Reason = 1
	// ReasonDeadline means that the worker made no progress within the
	// response timeout.
	ReasonDeadline Reason = 2
	// ReasonInvalid means that the worker's response broke a rule.
	ReasonInvalid Reason = 3
	// ReasonShutdown means that the server stopped before the stream ended.
	ReasonShutdown Reason = 4
	// ReasonClientSlow means that the client neither sent nor took bytes
	// within its deadline.
	ReasonClientSlow Reason = 5
	// ReasonTooLarge means that the request body passed the limit.
	ReasonTooLarge Reason = 6
	// ReasonFinished means that the exchange ended before the worker had
	// let go of it.
	ReasonFinished Reason = 7
	// ReasonServerGone means that the server died or evicted the link. It is
	// never in a row: an SDK reports it.
	ReasonServerGone Reason = 8
)

var reasonNames = [...]string{"none", "client gone", "deadline passed", "invalid response", "server shut down",
	"client too slow", "request body too large", "exchange finished", "server gone"}

// String returns the reason in words.
func (r Reason) String() string {
	if int(r) >= len(reasonNames) {
		return "unknown"
	}
	return reasonNames[r]
}

// ServerState is the state of the server, in the request segment's header.
type ServerState uint32

// The states of a server.
const (
	ServerRunning  ServerState = 1
	ServerDraining ServerState = 2
	ServerStopped  ServerState = 3
)

// LinkState is the state of a link, in its mailbox.
type LinkState uint32

// The states of a link.
const (
	LinkClosed   LinkState = 0
	LinkOpen     LinkState = 1
	LinkDraining LinkState = 2
)

// Asleep is the set of reasons for which a sleeping worker wants its bell rung.
type Asleep uint8

// The reasons to wake a worker. A cancellation of a stream that it holds, a
// drain and a close ring every sleeper, whatever its set.
const (
	// AsleepStream asks for a ring when a stream is added to the inbox.
	AsleepStream Asleep = 1
	// AsleepNotice asks for a ring when a lane has news.
	AsleepNotice Asleep = 2
)
