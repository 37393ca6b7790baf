package protocol

import (
	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/http2"
	"github.com/wavey-ai/upload-response/server/internal/http3"
)

// WindowOf returns how much of a body of such a length, which is negative if the client does
// not say it, can come in before it is read, and how much of all bodies of a connection.
// Over HTTP/3 nothing keeps a client to its length before the body is read.
func WindowOf(version proto.Version, length int64) (bytes, most int64) {
	if version == proto.HTTP3 {
		return http3.ConnStart, http3.ConnStart
	}
	if length < 0 {
		return http2.StreamWindow, http2.ConnWindow
	}
	return min(length, http2.StreamWindow), http2.ConnWindow
}
