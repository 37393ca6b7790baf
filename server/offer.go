package server

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/header"
)

// offer is a request for a WebSocket, which a worker may accept.
type offer struct {
	key       string // Sec-WebSocket-Key; empty with extended CONNECT
	protocols []string
}

const (
	websocketVersion = "13"
	// acceptSuffix follows the key in what is hashed (RFC 6455 section 4.2.2).
	acceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	keyBytes     = 16
)

// offerOf returns what a request offers, or nil if it asks for no WebSocket. An
// extended CONNECT (RFC 8441, RFC 9220) is turned into the GET that it would be over
// HTTP/1.1 (RFC 6455 section 4.1).
func offerOf(r *http.Request, d *dialect) (*offer, *http.Request) {
	switch {
	case d.serial && r.Method == http.MethodGet && r.ProtoMinor > 0 && header.HasElement(r.Header["Upgrade"], "websocket") && header.HasElement(r.Header["Connection"], "upgrade"):
		return &offer{key: r.Header.Get("Sec-Websocket-Key"), protocols: header.Elements(r.Header["Sec-Websocket-Protocol"])}, r
	case d.serial || r.Method != http.MethodConnect || extendedProtocol(r) != "websocket":
		return nil, r
	}
	get := r.WithContext(r.Context())
	get.Method, get.RequestURI = http.MethodGet, r.URL.RequestURI()
	delete(get.Header, protocolField)
	return &offer{protocols: header.Elements(r.Header["Sec-Websocket-Protocol"])}, get
}

// protocolField is where net/http puts the :protocol of an extended CONNECT.
const protocolField = ":protocol"

// extendedProtocol returns the :protocol of an extended CONNECT; package http3 puts
// it in the place of the version.
func extendedProtocol(r *http.Request) string {
	if r.ProtoMajor == 3 {
		return r.Proto
	}
	return strings.Join(r.Header[protocolField], "")
}

// check refuses an offer that is not one of RFC 6455 section 4.2.1.
func (o *offer) check(r *http.Request, d *dialect) error {
	key, err := base64.StdEncoding.DecodeString(o.key)
	switch {
	case !slices.Equal(r.Header["Sec-Websocket-Version"], []string{websocketVersion}):
		return errors.New("sec-websocket-version is not " + websocketVersion)
	case d.serial && (err != nil || len(key) != keyBytes || len(r.Header["Sec-Websocket-Key"]) != 1):
		return errors.New("sec-websocket-key")
	case d.serial && (r.ContentLength != 0 || len(r.TransferEncoding) > 0):
		return errors.New("a body before a WebSocket")
	}
	return nil
}

// reply checks what a worker says when it accepts, and returns the fields for the
// client.
func (o *offer) reply(frame *proto.Response) (http.Header, error) {
	fields := header.Upgraded(frame.Fields)
	chosen := fields["Sec-Websocket-Protocol"]
	if len(chosen) > 1 || len(chosen) == 1 && !slices.Contains(o.protocols, chosen[0]) {
		return nil, fmt.Errorf("%w: sec-websocket-protocol %q was not offered", ErrWorkerInvalid, chosen)
	}
	return fields, nil
}

// accept opens the WebSocket: the client gets the fields, and the wire carries frames
// from then on.
func (o *offer) accept(x *responder, header http.Header) (*wire, error) {
	if o.key == "" {
		return o.acceptStream(x, header)
	}
	sum := sha1.Sum([]byte(o.key + acceptSuffix))
	header.Set("Upgrade", "websocket")
	header.Set("Connection", "Upgrade")
	header.Set("Sec-Websocket-Accept", base64.StdEncoding.EncodeToString(sum[:]))
	conn, buffered, err := x.controller.Hijack()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrClientGone, err)
	}
	_ = conn.SetDeadline(time.Time{}) // net/http leaves its own
	w := &wire{reader: bufferedReader(conn, buffered.Reader), writer: buffered.Writer, flush: buffered.Flush, conn: conn}
	_, _ = io.WriteString(w.writer, "HTTP/1.1 101 Switching Protocols\r\n")
	_ = header.Write(w.writer)
	_, _ = io.WriteString(w.writer, "\r\n")
	return w, nil // errors of the writer stay with it
}

func (o *offer) acceptStream(x *responder, header http.Header) (*wire, error) {
	for name, values := range header {
		x.writer.Header()[name] = values
	}
	x.writer.WriteHeader(http.StatusOK)
	return &wire{reader: bufio.NewReaderSize(x.request.Body, wireBytes), writer: x.writer, flush: x.controller.Flush}, nil
}

// wireBytes is the size of a wire's read buffer; longer payloads go past it.
const wireBytes = 8 << 10

// bufferedReader returns a reader of the connection that begins with what was read
// too far.
func bufferedReader(conn net.Conn, before *bufio.Reader) *bufio.Reader {
	ahead, _ := before.Peek(before.Buffered())
	return bufio.NewReaderSize(io.MultiReader(bytes.NewReader(bytes.Clone(ahead)), conn), wireBytes)
}
