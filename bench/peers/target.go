package peers

import (
	"errors"
	"net/url"
	"strconv"
	"strings"

	"github.com/wavey-ai/upload-response/bench/load"
)

// Target is an address of another server that serves the same paths. Targets with the same
// name are one server.
type Target struct {
	Name      string
	Protocols []string
	Address   string // HOST:PORT, or unix:PATH
	Prefix    string
	Servers   []int // processes of the server, whose CPU time is measured
	Workers   []int // processes behind it
}

// errTarget is returned when a text is not a target.
var errTarget = errors.New("want NAME=URL, such as nginx=http://127.0.0.1:8081 or nginx=unix:/tmp/n.sock,pid=4711")

// schemes are the protocols for each scheme of a URL.
var schemes = map[string][]string{
	"http": {load.H1}, "https": {load.TLS, load.H2}, load.TLS: {load.TLS}, load.H2C: {load.H2C}, load.H2: {load.H2},
	load.H3: {load.H3},
}

// ParseTarget reads NAME=URL, and ",pid=N" or ",worker=N" for each of its processes.
func ParseTarget(s string) (t Target, err error) {
	name, rest, ok := strings.Cut(s, "=")
	words := strings.Split(rest, ",")
	t.Name = name
	if !ok || name == "" || t.setURL(words[0]) != nil {
		return t, errTarget
	}
	for _, word := range words[1:] {
		kind, number, _ := strings.Cut(word, "=")
		pid, err := strconv.Atoi(number)
		switch {
		case err != nil:
			return t, errTarget
		case kind == "pid":
			t.Servers = append(t.Servers, pid)
		case kind == "worker":
			t.Workers = append(t.Workers, pid)
		default:
			return t, errTarget
		}
	}
	return t, nil
}

func (t *Target) setURL(where string) error {
	if strings.HasPrefix(where, "unix:") {
		t.Address, t.Protocols = where, []string{load.H1}
		return nil
	}
	u, err := url.Parse(where)
	if err != nil || u.Port() == "" || schemes[u.Scheme] == nil {
		return errTarget
	}
	t.Address, t.Prefix, t.Protocols = u.Host, u.Path, schemes[u.Scheme]
	return nil
}
