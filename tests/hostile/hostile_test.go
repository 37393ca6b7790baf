package hostile_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// conversations is how many rows are sent at the same time: many of them wait for half
// a second, for as long as a server leaves a client to read its last answer.
const conversations = 32

// name returns that of a row on the wire: four letters, like "{id}".
func name(i int) string { return fmt.Sprintf("z%03d", i) }

// sendAll sends the rows, each after what prepare makes of it.
func sendAll(t *testing.T, open door, rows []row, prepare func(r *row, id string) []string) []rawclient.Transcript {
	t.Helper()
	heard := make([]rawclient.Transcript, len(rows))
	places := make(chan struct{}, conversations)
	var all sync.WaitGroup
	for i := range rows {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			heard[i] = converse(t, open, rows[i].last, prepare(&rows[i], name(i))...)
		})
	}
	all.Wait()
	return heard
}

// plainly sends a row, and the request behind it.
func plainly(r *row, id string) []string {
	text := r.send
	if !r.last {
		text += behind
	}
	return []string{as(id, text)}
}

// try sends the rows to a server with a worker and checks what came of each.
func try(t *testing.T, rows []row, enter func(s *harness.Server) door, prepare func(r *row, id string) []string) {
	s := harness.Start(t, nil)
	p := s.StartWorker(t, "witness")
	heard := sendAll(t, enter(s), rows, prepare)
	seen := testimony(t, s, p)
	for i := range rows {
		t.Run(rows[i].name, func(t *testing.T) { rows[i].check(t, name(i), accountOf(name(i), heard[i], seen)) })
	}
}

func inTheClear(s *harness.Server) door {
	return func(t testing.TB) net.Conn {
		conn, err := net.Dial("tcp", s.Addr)
		harness.Check(t, err)
		return conn
	}
}

func overTLS(t *testing.T) func(s *harness.Server) door {
	return func(s *harness.Server) door {
		secure := s.Secure(t)
		return func(t testing.TB) net.Conn {
			conn, err := tls.Dial("tcp", secure.Addr, &tls.Config{RootCAs: secure.Roots})
			harness.Check(t, err)
			return conn
		}
	}
}

func TestEveryRequestComesOutAsItsRowSays(t *testing.T) { try(t, rows(), inTheClear, plainly) }

func TestItDoesSoOverTLS(t *testing.T) { try(t, rows(), overTLS(t), plainly) }

// What an earlier request on the connection was like does not matter. Where the client
// ends the connection, that request may be taken for given up.
func TestItDoesSoBehindARequestThatIsInOrder(t *testing.T) {
	lasting := slices.DeleteFunc(rows(), func(r row) bool { return r.last })
	try(t, lasting, inTheClear, func(r *row, id string) []string { return []string{as(id, ahead) + plainly(r, id)[0]} })
}

// Nor does how it is cut.
func TestItDoesSoByteForByte(t *testing.T) {
	short := slices.DeleteFunc(rows(), func(r row) bool { return len(r.send) > 2000 })
	try(t, short, inTheClear, func(r *row, id string) []string { return strings.Split(plainly(r, id)[0], "") })
}

// Nor is there a second request on a connection of HTTP/1.0 that did not ask for it.
func TestARequestOfHTTP10EndsItsConnection(t *testing.T) {
	s := harness.Start(t, nil)
	p := s.StartWorker(t, "witness")
	var old []row
	for _, r := range rows() {
		first, rest, _ := strings.Cut(r.send, " HTTP/1.1\r\n")
		r.send = first + " HTTP/1.0\r\n" + strings.ReplaceAll(rest, "keep-alive", "close")
		if !r.last && !strings.ContainsAny(first, "\r\n") {
			old = append(old, r)
		}
	}
	heard := sendAll(t, inTheClear(s), old, plainly)
	seen := testimony(t, s, p)
	for i, r := range old {
		if a := accountOf(name(i), heard[i], seen); a.smuggled > 0 || a.behind > 0 || a.Open {
			t.Errorf("%s: %v", r.name, &a)
		}
	}
}
