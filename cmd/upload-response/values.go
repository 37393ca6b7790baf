package main

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/server/listen"
)

// The functions of this file make what an option's parse is: it takes a text
// into a variable, or returns an error that says which texts it takes.

// text takes any text but an empty one.
func text(p *string) func(string) error {
	return func(s string) error {
		if s == "" {
			return errors.New("want a value that is not empty")
		}
		*p = s
		return nil
	}
}

// number takes a whole number from least to most, in units of the given size.
func number[T int | int64 | uint32 | time.Duration](p *T, unit T, least, most uint64) func(string) error {
	return func(s string) error {
		n, err := strconv.ParseUint(s, 10, 63)
		if err != nil || n < least || n > most {
			return fmt.Errorf("want a whole number from %d to %d", least, most)
		}
		*p = T(n) * unit
		return nil
	}
}

// size takes a size from least to most bytes that is a multiple of step.
func size[T int | int64 | uint64](p *T, step, least, most uint64) func(string) error {
	return func(s string) error {
		n, err := parseSize(s)
		if err == nil && n >= least && n <= most && n%step == 0 {
			*p = T(n)
			return nil
		}
		want := "want a size such as 65536, 64KiB or 1MiB"
		if step > 1 {
			want = "want a multiple of " + formatSize(step)
		}
		if most < math.MaxInt64 {
			want += ", from " + formatSize(least) + " to " + formatSize(most)
		} else if least > 0 {
			want += ", at least " + formatSize(least)
		}
		return errors.New(want)
	}
}

// duration takes a duration of at least that much.
func duration(p *time.Duration, least time.Duration) func(string) error {
	return func(s string) error {
		d, err := time.ParseDuration(s)
		if err != nil || d < least {
			return fmt.Errorf("want a duration such as 30s, 500ms or 2m, at least %v", least)
		}
		*p = d
		return nil
	}
}

// toggle takes what strconv.ParseBool does.
func toggle(p *bool) func(string) error {
	return func(s string) error {
		b, err := strconv.ParseBool(s)
		if err != nil {
			return errors.New("want true or false")
		}
		*p = b
		return nil
	}
}

// choice takes one of some words.
func choice(p *string, words ...string) func(string) error {
	return func(s string) error {
		for _, word := range words {
			if s == word {
				*p = s
				return nil
			}
		}
		return errors.New("want " + oneOf(words))
	}
}

// level takes a level of log/slog.
func level(p *slog.Level) func(string) error {
	var word string
	parse := choice(&word, "debug", "info", "warn", "error")
	return func(s string) error {
		if err := parse(s); err != nil {
			return err
		}
		return p.UnmarshalText([]byte(word))
	}
}

// address adds a place to listen on.
func address(p *[]listen.Address) func(string) error {
	return func(s string) error {
		a, err := listen.ParseAddress(s)
		if err != nil {
			return err
		}
		if slices.Contains(*p, a) && !strings.HasSuffix(s, ":0") {
			return errors.New("stands twice")
		}
		*p = append(*p, a)
		return nil
	}
}

// fileMode takes permissions in octal.
func fileMode(p *os.FileMode) func(string) error {
	return func(s string) error {
		n, err := strconv.ParseUint(s, 8, 32)
		if err != nil || n > 0o777 {
			return errors.New("want permissions in octal, such as 0660")
		}
		*p = os.FileMode(n)
		return nil
	}
}

// proxy adds a network to those that are trusted, or all Unix sockets.
func proxy(c *server.Config) func(string) error {
	return func(s string) error {
		if s == "unix" {
			c.TrustUnix = true
			return nil
		}
		prefix, err := netip.ParsePrefix(s)
		if addr, single := netip.ParseAddr(s); single == nil {
			prefix, err = addr.Prefix(addr.BitLen())
		}
		if err != nil || prefix.Addr().Is4In6() {
			return errors.New("want an address or a network such as 10.0.0.0/8 or fd00::/8, or unix")
		}
		c.TrustedProxies = append(c.TrustedProxies, prefix.Masked())
		return nil
	}
}

// maxSocketPath is the longest path that fits the kernel's sockaddr_un.
const maxSocketPath = 107

func socketPath(p *string) func(string) error {
	return func(s string) error {
		if s == "" || len(s) > maxSocketPath {
			return fmt.Errorf("want a path of 1 to %d bytes", maxSocketPath)
		}
		*p = s
		return nil
	}
}

// validPool matches the names that a pool can have.
var validPool = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// errPool says what a pool's name is.
var errPool = errors.New("want a pool's name, 1 to 64 of A-Z a-z 0-9 . _ -")

func poolName(p *string) func(string) error {
	return func(s string) error {
		if !validPool.MatchString(s) {
			return errPool
		}
		*p = s
		return nil
	}
}

// route adds PREFIX=POOL. A prefix can contain "=", a pool's name cannot.
func route(p *[]server.Route) func(string) error {
	return func(s string) error {
		at := strings.LastIndexByte(s, '=')
		if at < 0 || s[0] != '/' || !validPool.MatchString(s[at+1:]) {
			return errors.New("want PREFIX=POOL, such as /media=transcode")
		}
		for _, other := range *p {
			if other.Prefix == s[:at] {
				return fmt.Errorf("the prefix is routed to pool %s already", other.Pool)
			}
		}
		*p = append(*p, server.Route{Prefix: s[:at], Pool: s[at+1:]})
		return nil
	}
}

// workerCommand adds POOL=COMMAND.
func workerCommand(p *[]workerSpec) func(string) error {
	return func(s string) error {
		pool, line, _ := strings.Cut(s, "=")
		if !validPool.MatchString(pool) || strings.TrimSpace(line) == "" {
			return errors.New("want POOL=COMMAND, such as 'default=./worker --fast'")
		}
		*p = append(*p, workerSpec{pool: pool, argv: []string{"/bin/sh", "-c", "exec " + line}, line: line})
		return nil
	}
}

// id adds a user's or group's number, or POOL=NUMBER.
func id(any *[]uint32, pools *[]server.PoolID) func(string) error {
	return func(s string) error {
		var n uint32
		pool, text, bound := strings.Cut(s, "=")
		if !bound {
			text = s
		} else if !validPool.MatchString(pool) {
			return errPool
		}
		if err := number(&n, 1, 0, math.MaxUint32)(text); err != nil {
			return err
		}
		if bound {
			*pools = append(*pools, server.PoolID{Pool: pool, ID: n})
		} else {
			*any = append(*any, n)
		}
		return nil
	}
}

// poolNames adds a pool's name.
func poolNames(p *[]string) func(string) error {
	return func(s string) error {
		var name string
		err := poolName(&name)(s)
		if err == nil {
			*p = append(*p, name)
		}
		return err
	}
}

// words splits the value of a variable at commas and white space, lines at the
// ends of lines.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) })
}

func lines(s string) (list []string) {
	for line := range strings.SplitSeq(s, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, line)
		}
	}
	return list
}

// altSvc takes what responses say of HTTP/3, see AltSvc of [server.Limits].
func altSvc(p *string) func(string) error {
	return func(text string) error {
		switch text = strings.TrimSpace(text); text {
		case "auto":
			*p = ""
			return nil
		case server.AltSvcOff, "clear": // RFC 7838 section 3
			*p = text
			return nil
		}
		port, err := strconv.ParseUint(text, 10, 16)
		outside := func(r rune) bool { return r < ' ' || r > '~' }
		if err == nil && port > 0 || err != nil && strings.Contains(text, `="`) && !strings.ContainsFunc(text, outside) {
			*p = text
			return nil
		}
		return errors.New(`want auto, off, a port, or a value such as h3=":443"; ma=86400`)
	}
}
