package relay

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/header"
	"github.com/wavey-ai/upload-response/server/internal/protocol"
)

// requestFrame fills frame with what a worker gets of r.
func requestFrame(frame *proto.Request, r *http.Request, o *origin, offered bool, streamID uint64) error {
	if r.Method == http.MethodConnect {
		return fmt.Errorf("%w: CONNECT", fault.ErrMethod)
	}
	if r.Host == "" && r.ProtoAtLeast(1, 1) {
		return fmt.Errorf("%w: no host", fault.ErrBadRequest)
	}
	frame.StreamID, frame.Version = streamID, protocol.VersionOf(r)
	frame.Method, frame.Scheme, frame.Authority = r.Method, o.scheme, r.Host
	if offered {
		frame.Scheme = "ws" + strings.TrimPrefix(o.scheme, "http")
	}
	frame.Path = r.RequestURI
	if !strings.HasPrefix(frame.Path, "/") {
		frame.Path = r.URL.RequestURI() // absolute-form (RFC 9112 section 3.2.2)
	}
	frame.Fields = header.AppendRequestFields(o.appendClient(frame.Fields[:0]), r.Header, o.peer.Trusted)
	frame.Fields = o.appendFields(frame.Fields, r)
	return nil
}
