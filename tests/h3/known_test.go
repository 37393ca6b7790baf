package h3_test

import "testing"

// known is a case that the library does not treat as the RFC has it.
type known struct {
	why  string
	link string // to who knows of it
}

// judge fails the test if a case has another outcome than it should have, unless that is
// known; or if it has the right one, and is known to have another.
func judge(t *testing.T, known *known, problem error) {
	t.Helper()
	switch {
	case known == nil && problem != nil:
		t.Error(problem)
	case known != nil && problem == nil:
		t.Errorf("as it should be now: %s (%s)", known.why, known.link)
	}
}

// Where quic-go does not treat clients as RFC 9000, RFC 9114 and RFC 9204 have it. No
// request that a worker should not see comes of it. Where there is no link, nobody is
// known to have told them.
var (
	skippedPush = known{
		why:  "Frames of server push are skipped as if they were unknown, wherever they stand.",
		link: "https://github.com/quic-go/quic-go/issues/5686",
	}
	unreadQPACK = known{
		why:  "There is no dynamic table, and so the streams that are about it are not read.",
		link: "https://github.com/quic-go/qpack/issues/33",
	}
	resetOnly = known{
		why: "The stream is reset with the right error, and the connection is kept: without a dynamic table there " +
			"is nothing that it could have spoiled.",
		link: "https://github.com/quic-go/quic-go/pull/5439",
	}
	unseenScheme = known{
		why: "The scheme is not looked at, and handlers do not get it (requestFromHeaders in http3/headers.go).",
	}
	lateFrames = known{
		why: "The body ends with an error, and the connection is kept (Read in http3/stream.go): the answer is 400.",
	}
	looseSettings = known{
		why: "Settings that are not known are passed on; " +
			"those that break off end the connection with another error (parseSettingsFrame in http3/frames.go).",
	}

	wrongPacket = known{
		why: "A frame in a packet that it may not be in costs the connection, with " +
			"FRAME_ENCODING_ERROR for PROTOCOL_VIOLATION.",
		link: "https://github.com/quic-go/quic-go/pull/1972",
	}
)
