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

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/server/listen"
	"github.com/wavey-ai/upload-response/server/supervise"
)

// level takes a level of log/slog.
func level(p *slog.Level) func(string) error {
	var word string
	parse := cli.Choice(&word, "debug", "info", "warn", "error")
	return func(s string) error {
		if err := parse(s); err != nil {
			return err
		}
		return p.UnmarshalText([]byte(word))
	}
}

// address adds an address to listen on. $PORT in it is the variable that hosting platforms set.
func address(p *[]listen.Address, platformPort string) func(string) error {
	return func(s string) error {
		if text := portVariable.ReplaceAllLiteralString(s, platformPort); text != s && platformPort == "" {
			return errors.New("the variable PORT is not set")
		} else if text != s {
			s = text
		}
		a, err := listen.ParseAddress(s)
		if err != nil {
			return err
		}
		if slices.Contains(*p, a) && !strings.HasSuffix(s, ":0") && !a.Named() {
			return errors.New("given twice")
		}
		if i := slices.IndexFunc(*p, a.Overlaps); i >= 0 {
			return fmt.Errorf("the port is taken already, by %v: give one of them, or another port", (*p)[i])
		}
		*p = append(*p, a)
		return nil
	}
}

// portVariable matches the variable of the platform where a shell has not expanded it.
var portVariable = regexp.MustCompile(`\$(?:PORT\b|\{PORT\})`)

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

// errPool is returned for a text that is not the name of a pool.
var errPool = errors.New("want the name of a pool, 1 to 64 of A-Z a-z 0-9 . _ -")

func poolName(p *string) func(string) error {
	return func(s string) error {
		if !validPool.MatchString(s) {
			return errPool
		}
		*p = s
		return nil
	}
}

// route adds PREFIX=POOL. A prefix can contain "=", the name of a pool cannot.
func route(p *[]server.Route) func(string) error {
	return func(s string) error {
		at := strings.LastIndexByte(s, '=')
		if at < 0 || s[0] != '/' || !validPool.MatchString(s[at+1:]) {
			return errors.New("want PREFIX=POOL, such as /media=transcode")
		}
		for _, other := range *p {
			if other.Prefix == s[:at] {
				return fmt.Errorf("this prefix leads to pool %s already", other.Pool)
			}
		}
		*p = append(*p, server.Route{Prefix: s[:at], Pool: s[at+1:]})
		return nil
	}
}

// workerUser takes the user of processes.
func workerUser(p **supervise.User) func(string) error {
	return func(s string) (err error) {
		*p, err = supervise.ParseUser(s)
		return err
	}
}

// id adds the number of a user or group, or POOL=NUMBER.
func id(any *[]uint32, pools *[]server.PoolID) func(string) error {
	return func(s string) error {
		var n uint32
		pool, text, bound := strings.Cut(s, "=")
		if !bound {
			text = s
		} else if !validPool.MatchString(pool) {
			return errPool
		}
		if err := cli.Number(&n, 1, 0, math.MaxUint32)(text); err != nil {
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

// poolNames adds the name of a pool.
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

// altSvc takes what responses say about HTTP/3, see AltSvc of [server.Limits].
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
		if err == nil && port > 0 || err != nil && strings.Contains(text, `="`) &&
			!strings.ContainsFunc(text, outside) {
			*p = text
			return nil
		}
		return errors.New(`want auto, off, a port, or a value such as h3=":443"; ma=86400`)
	}
}
