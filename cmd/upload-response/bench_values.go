package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/wavey-ai/upload-response/bench"
	"github.com/wavey-ai/upload-response/bench/load"
)

// some takes a list of words with commas between them, each one of those there are.
func some(p *[]string, of []string) func(string) error {
	return func(s string) error {
		list := strings.Split(s, ",")
		for _, word := range list {
			if !slices.Contains(of, word) {
				return fmt.Errorf("want some of %s, with commas between them", strings.Join(of, ","))
			}
		}
		*p = list
		return nil
	}
}

// numbers takes a list of numbers with commas between them.
func numbers(p *[]int, least, most uint64) func(string) error {
	return func(s string) error {
		var list []int
		for word := range strings.SplitSeq(s, ",") {
			n := 0
			if err := number(&n, 1, least, most)(word); err != nil {
				return fmt.Errorf("want whole numbers from %d to %d, with commas between them", least, most)
			}
			list = append(list, n)
		}
		*p = list
		return nil
	}
}

func joinNumbers(list []int) string {
	var words []string
	for _, n := range list {
		words = append(words, strconv.Itoa(n))
	}
	return strings.Join(words, ",")
}

// added adds any text but an empty one.
func added(p *[]string) func(string) error {
	return func(s string) error {
		var one string
		if err := text(&one)(s); err != nil {
			return err
		}
		*p = append(*p, one)
		return nil
	}
}

// errTarget says what a target is.
var errTarget = errors.New("want NAME=URL, such as nginx=http://127.0.0.1:8081 or nginx=unix:/tmp/n.sock,pid=4711")

// benchTarget adds another server to be measured.
func benchTarget(p *[]bench.Target) func(string) error {
	return func(s string) error {
		name, rest, ok := strings.Cut(s, "=")
		where, pids, _ := strings.Cut(rest, ",")
		t := bench.Target{Name: name}
		if !ok || name == "" || setTarget(&t, where) != nil {
			return errTarget
		}
		for word := range strings.SplitSeq(pids, ",") {
			if word == "" {
				continue
			}
			text, ok := strings.CutPrefix(word, "pid=")
			pid, err := strconv.Atoi(text)
			if !ok || err != nil {
				return errTarget
			}
			t.PIDs = append(t.PIDs, pid)
		}
		*p = append(*p, t)
		return nil
	}
}

func setTarget(t *bench.Target, where string) error {
	if strings.HasPrefix(where, "unix:") {
		t.Address, t.Protocol = where, load.H1
		return nil
	}
	u, err := url.Parse(where)
	if err != nil || u.Port() == "" {
		return errTarget
	}
	t.Address, t.Prefix = u.Host, u.Path
	switch u.Scheme {
	case "http":
		t.Protocol = load.H1
	case "https":
		t.Secure = true
	case load.H2C:
		t.Protocol = load.H2C
	case load.H2, load.H3, load.TLS:
		t.Protocol, t.Secure = u.Scheme, true
	default:
		return errTarget
	}
	return nil
}

// writeFile has a file written whole, or not at all.
func writeFile(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(file); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}
