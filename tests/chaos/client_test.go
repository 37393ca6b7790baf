package chaos_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"time"
)

// patience is how long no byte may move before an exchange counts as hung. It is
// longer than any time-out of the server: those would not be allowed either.
const patience = 60 * time.Second

// patientConn moves its deadline on with each byte, either way.
type patientConn struct{ *net.TCPConn }

func (c patientConn) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	c.moved()
	return n, err
}

func (c patientConn) Write(b []byte) (int, error) {
	n, err := c.TCPConn.Write(b)
	c.moved()
	return n, err
}

func (c patientConn) moved() { _ = c.SetDeadline(time.Now().Add(patience)) }

// errWrong is what comes of bytes that are not those that are due, and of a
// response that docs/faults.md does not allow.
var errWrong = errors.New("wrong")

// client sends one request after the other, on a connection that it keeps as long
// as it is good.
type client struct {
	addr   string
	random *rand.Rand
	conn   *patientConn // nil: none
	in     *bufio.Reader
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

func (c *client) connect() error {
	if c.conn != nil {
		return nil
	}
	conn, err := net.Dial("tcp", c.addr)
	if err != nil {
		return err
	}
	c.conn = &patientConn{conn.(*net.TCPConn)}
	c.in = bufio.NewReader(c.conn)
	return nil
}

// do carries out a job. An error is something that may not be.
func (c *client) do(j *job) (outcome, error) {
	if err := c.connect(); err != nil {
		return 0, err
	}
	c.conn.moved()
	conn, sent, random := c.conn, make(chan error, 1), rand.New(rand.NewPCG(c.random.Uint64(), 0))
	go func() { sent <- send(conn, j, random) }()
	result, keep, err := c.receive(j)
	gone := j.leave.after >= 0
	if err != nil || gone {
		c.close() // the sender ends with it
	}
	sendErr := <-sent
	if !keep || sendErr != nil {
		c.close()
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(sendErr, os.ErrDeadlineExceeded):
		return 0, fmt.Errorf("hung for %v", patience)
	case gone && !errors.Is(err, errWrong):
		return left, nil
	}
	return result, err
}

// send sends the request, in pieces of any size. The connection may be closed meanwhile, or before it begins.
func send(conn *patientConn, j *job, r *rand.Rand) error {
	body := j.body
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: chaos.test\r\n", j.method, j.path)
	switch {
	case j.chunked:
		head += "Transfer-Encoding: chunked\r\n"
	case j.method != "GET":
		head += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	if _, err := io.WriteString(conn, head+"\r\n"); err != nil {
		return err
	}
	upTo := len(body)
	if j.leave.after >= 0 && !j.leave.down {
		upTo = j.leave.after
	}
	for at := 0; at < upTo; {
		n := min(1+someSize(r, 200_000), upTo-at)
		if err := writePiece(conn, body[at:at+n], j.chunked); err != nil {
			return err
		}
		at += n
	}
	if upTo < len(body) {
		return j.leave.end(conn)
	}
	if j.chunked {
		_, err := io.WriteString(conn, "0\r\n\r\n")
		return err
	}
	return nil
}

func writePiece(conn net.Conn, b []byte, chunked bool) error {
	if chunked {
		b = fmt.Appendf(fmt.Appendf(nil, "%x\r\n", len(b)), "%s\r\n", b)
	}
	_, err := conn.Write(b)
	return err
}

// end gives the connection up.
func (l leave) end(conn *patientConn) error {
	if l.reset {
		_ = conn.SetLinger(0)
	}
	return conn.Close()
}

// receive reads the response and says what it is. keep: the connection may serve
// the next request.
func (c *client) receive(j *job) (result outcome, keep bool, err error) {
	response, err := http.ReadResponse(c.in, &http.Request{Method: j.method})
	if err != nil {
		return 0, false, fmt.Errorf("no response: %w", err)
	}
	defer response.Body.Close()
	if response.ContentLength < 0 && len(response.TransferEncoding) == 0 {
		return 0, false, fmt.Errorf("%w: status %d, and nothing says where the body ends", errWrong,
			response.StatusCode)
	}
	if response.StatusCode == http.StatusOK {
		return c.receiveBody(j, response)
	}
	text, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return 0, false, fmt.Errorf("%s breaks off: %w", response.Status, err)
	case response.StatusCode == http.StatusBadGateway:
		result = lost
	case response.StatusCode == http.StatusServiceUnavailable && response.Header.Get("Retry-After") != "":
		result = noWorker
	default:
		return 0, false, fmt.Errorf("%w: %s: %s", errWrong, response.Status, text)
	}
	return result, !response.Close, nil
}

// receiveBody compares what comes with what is due.
func (c *client) receiveBody(j *job, response *http.Response) (result outcome, keep bool, err error) {
	due := &checker{want: j.want}
	if j.leave.after >= 0 && j.leave.down {
		_, err := io.CopyN(due, response.Body, int64(j.leave.after))
		_ = j.leave.end(c.conn)
		return left, false, err
	}
	_, err = io.Copy(due, response.Body)
	switch {
	case errors.Is(err, errWrong), errors.Is(err, os.ErrDeadlineExceeded):
		return 0, false, err
	case err != nil:
		return broken, false, nil
	case due.got != len(due.want):
		return 0, false, fmt.Errorf("%w: the response looks complete after %d of %d bytes", errWrong,
			due.got, len(due.want))
	}
	return whole, !response.Close && !j.early, nil
}
