package load

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// Windows of the client: how much the server can send before the client reads. They are as
// large as the windows of the server.
const (
	http2StreamWindow = 4 << 20
	http2ConnWindow   = 8 << 20
	http2FrameSize    = 256 << 10
	quicStreamWindow  = 6 << 20
	quicConnWindow    = 8 * quicStreamWindow
)

// library is an HTTP/2 or HTTP/3 client with one connection.
type library struct {
	target *Target
	client *http.Client
	close  func()
}

// newLibrary connects. Release: close.
func newLibrary(t *Target) (*library, error) {
	l := &library{target: t}
	if t.Protocol == H3 {
		transport := &http3.Transport{TLSClientConfig: tlsConfig(), QUICConfig: &quic.Config{
			InitialStreamReceiveWindow: 1 << 20, MaxStreamReceiveWindow: quicStreamWindow,
			InitialConnectionReceiveWindow: 2 << 20, MaxConnectionReceiveWindow: quicConnWindow,
		}}
		l.client, l.close = &http.Client{Transport: transport}, func() { _ = transport.Close() }
	} else {
		transport := t.http2()
		l.client, l.close = &http.Client{Transport: transport}, transport.CloseIdleConnections
	}
	if err := l.hello(context.Background()); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (t *Target) http2() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(t.Protocol == H2)
	protocols.SetUnencryptedHTTP2(t.Protocol == H2C)
	network, address := t.network()
	return &http.Transport{
		Protocols: protocols, TLSClientConfig: tlsConfig(), WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, address)
		},
		HTTP2: &http.HTTP2Config{
			MaxReadFrameSize: http2FrameSize, MaxReceiveBufferPerConnection: http2ConnWindow,
			MaxReceiveBufferPerStream: http2StreamWindow,
		},
	}
}

// do sends a request and returns the response if the status is OK.
func (l *library) do(ctx context.Context, method, path string, body io.Reader, length int64) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, l.target.url(path), body)
	if err != nil {
		return nil, err
	}
	request.ContentLength = length
	response, err := l.client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 200))
		_ = response.Body.Close()
		return nil, fmt.Errorf("%w: %s: %s", errAnswer, response.Status, text)
	}
	return response, nil
}

// hello makes a small request.
func (l *library) hello(ctx context.Context) error {
	response, err := l.do(ctx, "GET", "/hello", nil, 0)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && string(body) != Hello {
		err = fmt.Errorf("%w: %.200q", errAnswer, body)
	}
	return err
}

// timed measures how long an exchange over a new connection takes. The timeout leaves time
// for a transfer of size bytes.
func timed(t *Target, size int64, do func(ctx context.Context, l *library) error) (time.Duration, error) {
	l, err := newLibrary(t)
	if err != nil {
		return 0, err
	}
	defer l.close()
	const least = 10e6 // bytes a second
	ctx, cancel := context.WithTimeout(context.Background(),
		timeout+time.Duration(float64(size)/least*float64(time.Second)))
	defer cancel()
	begun := time.Now()
	err = do(ctx, l)
	return time.Since(begun), err
}

func libraryUpload(t *Target, size int64) (time.Duration, error) {
	return timed(t, size, func(ctx context.Context, l *library) error {
		response, err := l.do(ctx, "POST", "/upload", &body{left: size}, size)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		want := ChecksumOf(size)
		return checkAnswer(answer, err, &want)
	})
}

func libraryDownload(t *Target, size int64) (time.Duration, error) {
	return timed(t, size, func(ctx context.Context, l *library) error {
		response, err := l.do(ctx, "GET", fmt.Sprintf("/download?bytes=%d", size), nil, 0)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		return receiveRest(response.Body, &Checksum{}, size)
	})
}

func libraryEcho(t *Target, size int64) (time.Duration, error) {
	return timed(t, size, func(ctx context.Context, l *library) error {
		response, err := l.do(ctx, "POST", "/echo", &body{left: size}, size)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		return receiveRest(response.Body, &Checksum{}, size)
	})
}

// body is a body of payload.
type body struct {
	left int64
	at   int
}

// Read returns the next bytes.
func (b *body) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(int64(len(p)), b.left)], Payload[b.at:])
	b.left -= int64(n)
	b.at = (b.at + n) % len(Payload)
	return n, nil
}
