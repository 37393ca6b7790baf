package convert

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	nginx "github.com/tufanbarisyildirim/gonginx/config"
	"github.com/tufanbarisyildirim/gonginx/parser"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/config"
)

// NGINX converts server blocks of nginx: those of a whole nginx.conf, or of a file that it
// includes. It reads no other files.
func NGINX(text []byte) (*Result, error) {
	read, err := parser.NewStringParser(string(text), parser.WithSkipValidDirectivesErr(), parser.WithSkipComments()).
		Parse()
	if err != nil {
		return nil, fmt.Errorf("this is not a configuration of nginx: %w", err)
	}
	n := nginxFile{Result: newResult(), upstreams: map[string]bool{}, logFormats: map[string]string{}}
	n.collect(read.Directives)
	if len(n.servers) == 0 {
		return nil, fmt.Errorf("there is no server block")
	}
	for i := range n.servers {
		n.server(&n.servers[i])
	}
	n.sortRoutes()
	return n.Result, nil
}

type nginxFile struct {
	*Result
	servers    []nginxServer
	upstreams  map[string]bool
	logFormats map[string]string // by name
	ranked     []rankedRoute
}

// guards are directives that keep requests out. Where one stands, all are kept out: to leave it
// out would open what it guards.
var guards = []string{"auth_basic", "auth_request", "auth_jwt", "allow", "deny", "satisfy", "internal", "limit_except",
	"ssl_verify_client", "secure_link", "valid_referers"}

// guard notes that a place is closed.
func (n *nginxFile) guard(where string, d nginx.IDirective) {
	n.leave("%s%s %s: all requests get 403", where, d.GetName(), strings.Join(words(d), " "))
}

// closed makes a route answer 403.
func closed(r *config.Route) {
	open := *r
	*r = route()
	r.Match = open.Match
	r.Respond.Status = 403
}

// rankedRoute is a route with what decides when nginx takes a location.
type rankedRoute struct {
	config.Route
	rank, length int
}

// The order in which nginx takes locations.
const (
	exact = iota
	prefixFirst
	pattern
	prefix
)

func words(d nginx.IDirective) (list []string) {
	for _, p := range d.GetParameters() {
		list = append(list, unquote(p.GetValue()))
	}
	return list
}

// escapes are those of quoted text.
var escapes = strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\r`, "\r", `\"`, `"`, `\'`, `'`, `\\`, `\`)

func unquote(text string) string {
	if len(text) >= 2 && (text[0] == '"' || text[0] == '\'') && text[len(text)-1] == text[0] {
		return escapes.Replace(text[1 : len(text)-1])
	}
	return text
}

func children(d nginx.IDirective) []nginx.IDirective {
	if d.GetBlock() == nil {
		return nil
	}
	return d.GetBlock().GetDirectives()
}

// collect finds the servers and upstreams, and converts what goes for all servers.
func (n *nginxFile) collect(list []nginx.IDirective) {
	for _, d := range list {
		switch d.GetName() {
		case "http":
			n.collect(children(d))
		case "server":
			n.servers = append(n.servers, n.newServer(d))
		case "upstream":
			if name := words(d); len(name) > 0 {
				n.upstreams[name[0]] = true
			}
		case "events", "worker_processes", "pid", "include", "user", "sendfile", "tcp_nopush", "types",
			"default_type", "types_hash_max_size", "error_log", "worker_rlimit_nofile", "server_tokens", "tcp_nodelay":
			if d.GetName() == "include" && !strings.Contains(strings.Join(words(d), " "), "mime.types") {
				n.leaveDirective("", d)
			}
		default:
			if !n.general(d) {
				n.leaveDirective("", d)
			}
		}
	}
}

// leaveDirective notes a directive that is not converted.
func (n *nginxFile) leaveDirective(where string, d nginx.IDirective) {
	text := d.GetName() + " " + strings.Join(words(d), " ")
	if d.GetBlock() != nil {
		text += " {...}"
	}
	n.leave("%s%s", where, text)
}

// general converts a directive that goes for all servers here, wherever it stands.
func (n *nginxFile) general(d nginx.IDirective) bool {
	args := words(d)
	if len(args) == 0 {
		return false
	}
	t := &n.File.Timeouts
	times := map[string]*config.Duration{
		"proxy_read_timeout": &t.Response, "keepalive_timeout": &t.Idle, "client_header_timeout": &t.Headers,
		"client_body_timeout": &t.Client, "send_timeout": &t.Client,
	}
	if to, found := times[d.GetName()]; found {
		return nginxTime(to, args[0])
	}
	switch d.GetName() {
	case "gzip":
		n.File.Compress.Enabled = args[0] == "on"
	case "gzip_min_length":
		return n.File.Compress.Min.UnmarshalText([]byte(args[0])) == nil && n.File.Compress.Min > 0
	case "access_log":
		return n.accessLogOf(args)
	case "log_format":
		n.logFormats[args[0]] = strings.Join(args[1:], "")
	case "gzip_types", "gzip_vary", "gzip_proxied", "gzip_comp_level", "gzip_disable",
		"proxy_http_version",
		"proxy_buffering", "proxy_request_buffering", "proxy_redirect", "ssl_protocols", "ssl_ciphers",
		"ssl_prefer_server_ciphers", "ssl_session_cache", "ssl_session_timeout", "http2", "http3":
	case "proxy_set_header":
		return slices.Contains([]string{"host", "x-real-ip", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host",
			"upgrade", "connection"}, strings.ToLower(args[0]))
	default:
		return false
	}
	return true
}

func nginxTime(to *config.Duration, text string) bool {
	if strings.Trim(text, "0123456789") == "" {
		text += "s"
	}
	return to.UnmarshalText([]byte(text)) == nil && *to > 0
}

// sortRoutes puts the routes into the order in which nginx takes them: those of the first
// server, which is the default one, come last if the server has no name.
func (n *nginxFile) sortRoutes() {
	slices.SortStableFunc(n.ranked, func(a, b rankedRoute) int {
		return cmp.Or(hostless(a)-hostless(b), a.rank-b.rank, b.length-a.length)
	})
	for _, r := range n.ranked {
		n.File.Routes = append(n.File.Routes, r.Route)
	}
}

func hostless(r rankedRoute) int {
	if len(r.Match.Host) == 0 {
		return 1
	}
	return 0
}
