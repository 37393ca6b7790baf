package accept

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/http1"
	"github.com/wavey-ai/upload-response/server/internal/meter"
)

// shakeHands returns the connection over TLS: a [*tls.Conn] for HTTP/2, since net/http looks
// for this type, and an [*http1.SecureConn] for HTTP/1.1.
func (l *Listener) shakeHands(s *socket) (net.Conn, error) {
	secure := tls.Server(s, l.tls)
	if err := s.SetDeadline(time.Now().Add(l.config.HandshakeTime)); err != nil {
		return nil, err
	}
	if err := secure.HandshakeContext(l.ctx); err != nil {
		l.answerPlainHTTP(s, err)
		return nil, err
	}
	if err := s.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	s.info.AltSvc = l.config.AltSvc(s.LocalAddr())
	if secure.ConnectionState().NegotiatedProtocol == "h2" {
		s.count.speaks(meter.HTTP2)
		return secure, nil
	}
	return http1.NewSecureConn(secure, s.info, l.config.HTTP1), nil
}

// answerPlainHTTP tells a client that sends HTTP in the clear what is wrong.
func (l *Listener) answerPlainHTTP(s *socket, err error) {
	const body = "400 Bad Request: this port speaks HTTPS\n"
	var record tls.RecordHeaderError
	if !errors.As(err, &record) || record.Conn == nil || record.RecordHeader[0] < 'A' || record.RecordHeader[0] > 'Z' {
		return
	}
	m := &http1.Refusal{Status: http.StatusBadRequest, Sent: len(body), Reason: "HTTP in the clear on a port for HTTPS"}
	if client := s.info.Peer(); client != nil {
		m.Client = client.Address
	}
	id := l.config.HTTP1.Refused(m)
	_, _ = io.WriteString(record.Conn, "HTTP/1.0 400 Bad Request\r\nConnection: close\r\n"+
		"Content-Type: text/plain\r\nX-Request-Id: "+id+"\r\n\r\n"+body)
}
