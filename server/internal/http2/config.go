// Package http2 is what the server adds to net/http's HTTP/2: its windows, a writer that
// makes few and large frames, extended CONNECT, and what has to be known of the inside of
// net/http.
package http2

import (
	"net/http"
	"time"
)

// Windows: that of a stream is what a client may send before a worker has read it, and that
// of a connection holds those of several streams, so that an upload that nobody reads holds
// up no other. They are the largest that net/http takes, or leave room for so many.
const (
	ConnWindow   = 4<<20 - 1
	StreamWindow = 1 << 20
)

// frameBytes is the size of the largest frame that clients may send; a connection keeps a
// buffer of the size of the largest one that came.
const frameBytes = 256 << 10

// A connection over which nothing comes is asked whether it is alive, and closed if it does
// not answer.
const (
	pingAfter = 30 * time.Second
	pingTime  = 15 * time.Second
)

// Config returns the configuration of a server: a client may have so many streams at once,
// and takes at least one byte of a response within writeTime.
func Config(streams int, writeTime time.Duration) *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams: streams, MaxReadFrameSize: frameBytes,
		MaxReceiveBufferPerConnection: ConnWindow, MaxReceiveBufferPerStream: StreamWindow,
		SendPingTimeout: pingAfter, PingTimeout: pingTime, WriteByteTimeout: writeTime,
	}
}
