// Package websocket speaks RFC 6455 with clients: the opening handshake, over HTTP/1.1 and
// by extended CONNECT, frames, and what closes a connection.
package websocket

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

	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/header"
)

// Handshake is the opening handshake of a client that asks for a WebSocket.
type Handshake struct {
	extended  bool   // by extended CONNECT (RFC 8441, RFC 9220)
	key       string // Sec-WebSocket-Key; extended CONNECT has none
	protocols []string
}

// Version is the one version of the protocol that the server speaks.
const Version = "13"

const (
	// acceptSuffix follows the key in what is hashed (RFC 6455 section 4.2.2).
	acceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	keyBytes     = 16
)

// Possible reports whether a request may ask for a WebSocket: most do not, at first sight.
func Possible(r *http.Request) bool {
	return r.ProtoMajor != 1 || r.Header["Upgrade"] != nil
}

// NewHandshake returns the handshake that a request begins, or nil if the request asks for
// no WebSocket. It turns an extended CONNECT into the GET that would ask for the same over
// HTTP/1.1 (RFC 6455 section 4.1).
func NewHandshake(r *http.Request) (*Handshake, *http.Request) {
	switch {
	case r.ProtoMajor == 1:
		return newUpgrade(r), r
	case r.Method != http.MethodConnect || extendedProtocol(r) != "websocket":
		return nil, r
	}
	get := r.WithContext(r.Context())
	get.Method, get.RequestURI = http.MethodGet, r.URL.RequestURI()
	delete(get.Header, protocolField)
	return &Handshake{extended: true, protocols: offeredProtocols(r)}, get
}

// newUpgrade returns the handshake of a request over HTTP/1.1, or nil.
func newUpgrade(r *http.Request) *Handshake {
	if r.Method != http.MethodGet || r.ProtoMinor == 0 || !header.HasElement(r.Header["Upgrade"], "websocket") ||
		!header.HasElement(r.Header["Connection"], "upgrade") {
		return nil
	}
	return &Handshake{key: r.Header.Get("Sec-Websocket-Key"), protocols: offeredProtocols(r)}
}

func offeredProtocols(r *http.Request) []string {
	return header.Elements(r.Header["Sec-Websocket-Protocol"])
}

// protocolField is where net/http puts the :protocol of an extended CONNECT.
const protocolField = ":protocol"

// extendedProtocol returns the :protocol of an extended CONNECT; package http3 puts it in
// the place of the version.
func extendedProtocol(r *http.Request) string {
	if r.ProtoMajor == 3 {
		return r.Proto
	}
	return strings.Join(r.Header[protocolField], "")
}

// Extended reports whether the client asks by extended CONNECT, where any status of
// success opens the WebSocket.
func (h *Handshake) Extended() bool { return h.extended }

// Check refuses a request that breaks the rules of RFC 6455 section 4.2.1.
func (h *Handshake) Check(r *http.Request) error {
	if !slices.Equal(r.Header["Sec-Websocket-Version"], []string{Version}) {
		return errors.New("sec-websocket-version is not " + Version)
	}
	if h.extended {
		return nil
	}
	key, err := base64.StdEncoding.DecodeString(h.key)
	switch {
	case err != nil || len(key) != keyBytes || len(r.Header["Sec-Websocket-Key"]) != 1:
		return errors.New("sec-websocket-key")
	case r.ContentLength != 0 || len(r.TransferEncoding) > 0:
		return errors.New("a body before a WebSocket")
	}
	return nil
}

// CheckProtocol refuses a response that chooses a subprotocol which the client has not
// offered.
func (h *Handshake) CheckProtocol(fields http.Header) error {
	chosen := fields["Sec-Websocket-Protocol"]
	if len(chosen) > 1 || len(chosen) == 1 && !slices.Contains(h.protocols, chosen[0]) {
		return fmt.Errorf("%w: sec-websocket-protocol %q was not offered", fault.ErrWorkerInvalid, chosen)
	}
	return nil
}

// Accept opens the WebSocket: the client gets the fields, and the connection carries
// frames from then on.
func (h *Handshake) Accept(w http.ResponseWriter, r *http.Request, fields http.Header) (*FrameConn, error) {
	if h.extended {
		return acceptStream(w, r, fields), nil
	}
	sum := sha1.Sum([]byte(h.key + acceptSuffix))
	fields.Set("Upgrade", "websocket")
	fields.Set("Connection", "Upgrade")
	fields.Set("Sec-Websocket-Accept", base64.StdEncoding.EncodeToString(sum[:]))
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", fault.ErrClientGone, err)
	}
	_ = conn.SetDeadline(time.Time{}) // net/http leaves its own
	reader := bufferedReader(conn, buffered.Reader)
	c := &FrameConn{reader: reader, writer: buffered.Writer, flush: buffered.Flush, conn: conn}
	_, _ = io.WriteString(c.writer, "HTTP/1.1 101 Switching Protocols\r\n")
	_ = fields.Write(c.writer)
	_, _ = io.WriteString(c.writer, "\r\n")
	return c, nil // errors of the writer stay with it
}

func acceptStream(w http.ResponseWriter, r *http.Request, fields http.Header) *FrameConn {
	for name, values := range fields {
		w.Header()[name] = values
	}
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w).Flush
	return &FrameConn{reader: bufio.NewReaderSize(r.Body, readBytes), writer: w, flush: flush}
}

// readBytes is the size of the read buffer of a [FrameConn]; longer payloads bypass it.
const readBytes = 8 << 10

// bufferedReader returns a reader of the connection that begins with what net/http has read
// ahead.
func bufferedReader(conn net.Conn, before *bufio.Reader) *bufio.Reader {
	ahead, _ := before.Peek(before.Buffered())
	return bufio.NewReaderSize(io.MultiReader(bytes.NewReader(bytes.Clone(ahead)), conn), readBytes)
}
