package accept

import (
	"crypto/tls"
	"errors"
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
		s.stretch = l.config.HTTP1.Times
		s.count.speaks(meter.HTTP2)
		return secure, nil
	}
	return http1.NewSecureConn(secure, s.info, l.config.HTTP1), nil
}

// answerPlainHTTP tells a client that sends HTTP in the clear what is wrong.
func (l *Listener) answerPlainHTTP(s *socket, err error) {
	var record tls.RecordHeaderError
	if !errors.As(err, &record) || record.Conn == nil || record.RecordHeader[0] < 'A' || record.RecordHeader[0] > 'Z' {
		return
	}
	m := &http1.Refusal{Status: http.StatusBadRequest, Reason: "this port speaks HTTPS"}
	if client := s.info.Peer(); client != nil {
		m.Client = client.Address
	}
	_, _ = record.Conn.Write(m.Answer(l.config.HTTP1))
}
